import { backend } from '../../backend'

export const dynamic = 'force-dynamic'

/** Hands a request on to the backend: the browser never needs the backend's address. */
async function proxy(request: Request, { params }: { params: Promise<{ path: string[] }> }) {
  const path = (await params).path.map(encodeURIComponent).join('/')
  const hasBody = !['GET', 'HEAD'].includes(request.method)
  try {
    const answer = await fetch(backend(`/api/${path}`), {
      method: request.method,
      headers: { 'content-type': 'application/json' },
      body: hasBody ? await request.text() : undefined,
      signal: AbortSignal.timeout(90_000),
    })
    const type = answer.headers.get('content-type')
    return new Response(answer.body, { status: answer.status, headers: type ? { 'content-type': type } : {} })
  } catch {
    return Response.json({ error: 'The backend does not answer' }, { status: 502 })
  }
}

export { proxy as DELETE, proxy as GET, proxy as PATCH, proxy as POST }
