export const dynamic = 'force-dynamic'

/** Liveness: this process answers. A backend that is away must not restart it. */
export const GET = () => Response.json({ status: 'ok' })
