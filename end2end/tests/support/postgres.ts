import { execFileSync, spawn } from 'node:child_process'
import { chownSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { createServer, connect, type AddressInfo } from 'node:net'
import { join } from 'node:path'

const PASSWORD = 'Pg-Pa55w0rd-for-tests'
/** Postgres refuses to run as root, so root runs it as `nobody`. */
const NOBODY = 65534

export interface Postgres {
  url: string
  stop: () => Promise<void>
  /** Again, with the same data at the same address. */
  start: () => Promise<void>
}

function binaries(): string {
  const versions = readdirSync('/usr/lib/postgresql').toSorted()
  const newest = versions.at(-1)
  if (!newest) throw new Error('a real Postgres is needed: install the package postgresql')
  return `/usr/lib/postgresql/${newest}/bin`
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((listening) => server.once('listening', listening))
  const { port } = server.address() as AddressInfo
  await new Promise((closed) => server.close(closed))
  return port
}

async function answers(port: number): Promise<boolean> {
  return await new Promise((known) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => (socket.destroy(), known(true)))
    socket.once('error', () => known(false))
  })
}

/** A real Postgres with its data in `folder`. */
export async function startPostgres(folder: string): Promise<Postgres> {
  const bin = binaries()
  const as = process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {}
  const home = join(folder, 'postgres')
  const password = join(home, 'password')
  mkdirSync(home, { recursive: true })
  writeFileSync(password, PASSWORD)
  if ('uid' in as) for (const path of [home, password]) chownSync(path, NOBODY, NOBODY)
  // `nobody` has to pass through the test's private folder.
  execFileSync('chmod', ['o+x', folder])
  const options = { ...as, cwd: home, env: { LC_ALL: 'C' }, stdio: 'ignore' as const }
  const data = join(home, 'data')
  const init = ['--auth=scram-sha-256', '--username=todo', '--no-sync', '--pwfile', password, '--pgdata', data]
  execFileSync(join(bin, 'initdb'), init, options)
  const port = await freePort()
  const args = ['-D', data, '-p', String(port), '-c', 'listen_addresses=127.0.0.1', '-c', 'fsync=off']
  const begin = async () => {
    const server = spawn(join(bin, 'postgres'), [...args, '-c', `unix_socket_directories=${home}`], options)
    const deadline = Date.now() + 30_000
    while (!(await answers(port))) {
      if (Date.now() > deadline || server.exitCode !== null) throw new Error('Postgres did not start')
      await new Promise((later) => setTimeout(later, 50))
    }
    return server
  }
  let server = await begin()
  return {
    url: `postgres://todo:${PASSWORD}@127.0.0.1:${port}/postgres?sslmode=disable`,
    stop: async () => {
      if (server.exitCode !== null) return
      const ended = new Promise((done) => server.once('exit', done))
      // SIGINT is Postgres' fast shutdown; its children end with it.
      server.kill('SIGINT')
      await ended
    },
    start: async () => {
      server = await begin()
    },
  }
}
