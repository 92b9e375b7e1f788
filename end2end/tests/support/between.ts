import { writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { request } from 'node:https'
import { type Socket } from 'node:net'
import { credentials } from './kube'

/** How requests fare: they pass, they are held back in silence, or their connections break. */
type Weather = 'passing' | 'held' | 'broken'

/** Stands between Slipway and an API server, and does what networks and servers do at their worst. */
export class Between {
  private weather: Weather = 'passing'
  private readonly sockets = new Set<Socket>()
  private readonly watches = new Set<ServerResponse>()
  /** What is to be done once requests pass again. */
  private waiting: (() => void)[] = []
  /** Watches from a version that are still to be refused, and how many were. */
  private toRefuse = 0
  refused = 0

  private constructor(
    private readonly server: Server,
    private behind: string,
  ) {
    server.on('connection', (socket) => {
      if (this.weather === 'broken') socket.destroy()
      this.sockets.add(socket)
      socket.once('close', () => this.sockets.delete(socket))
      socket.on('error', () => {})
    })
  }

  /** Leads to the cluster of this kubeconfig, as whoever the file names. */
  static async to(kubeconfig: string): Promise<Between> {
    const server = createServer()
    const between = new Between(server, kubeconfig)
    server.on('request', (asked, answer) => between.whenPassing(() => between.pass(asked, answer)))
    server.on('upgrade', (asked: IncomingMessage) => asked.socket.destroy())
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
    return between
  }

  /** Writes a kubeconfig whose only context leads here. */
  writeKubeconfig(path: string, name: string): string {
    const { port } = this.server.address() as { port: number }
    const [cluster, context] = [`server: 'http://127.0.0.1:${port}'`, `cluster: ${name}, user: ${name}`]
    writeFileSync(
      path,
      `apiVersion: v1
kind: Config
clusters: [{name: ${name}, cluster: {${cluster}}}]
contexts: [{name: ${name}, context: {${context}}}]
users: [{name: ${name}, user: {}}]
current-context: ${name}
`,
    )
    return path
  }

  /** Every connection breaks, and new ones are not answered. */
  cut() {
    this.weather = 'broken'
    for (const socket of this.sockets) socket.destroy()
  }

  /** Nothing passes any more, and nobody is told. */
  hold() {
    this.weather = 'held'
    for (const socket of this.sockets) socket.pause()
  }

  mend() {
    this.weather = 'passing'
    for (const socket of this.sockets) socket.resume()
    for (const go of this.waiting.splice(0)) go()
  }

  /** The watches alone break. */
  cutWatches() {
    for (const watch of this.watches) watch.destroy()
  }

  /** Every watch that is open learns, inside its stream, that its version is too old. */
  expireWatches() {
    const status = { kind: 'Status', apiVersion: 'v1', status: 'Failure', message: 'too old resource version', reason: 'Expired', code: 410 }
    for (const watch of this.watches) watch.end(`${JSON.stringify({ type: 'ERROR', object: status })}\n`)
  }

  /** The next watches are answered with 410, whatever version they go on from. */
  refuseWatches(count: number) {
    this.toRefuse = count
  }

  /** Another server took the place of the one behind. */
  leadTo(kubeconfig: string) {
    this.behind = kubeconfig
  }

  close() {
    this.mend()
    this.server.closeAllConnections()
    this.server.close()
  }

  private whenPassing(go: () => void) {
    if (this.weather === 'held') this.waiting.push(go)
    else go()
  }

  private pass(asked: IncomingMessage, answer: ServerResponse) {
    const { server, tls } = credentials(this.behind)
    const isWatch = /[?&]watch=(true|1)\b/.test(asked.url!)
    if (isWatch && this.toRefuse > 0) {
      this.toRefuse--
      this.refused++
      answer.writeHead(410, { 'content-type': 'application/json' })
      answer.end(JSON.stringify({ kind: 'Status', apiVersion: 'v1', status: 'Failure', reason: 'Gone', code: 410 }))
      return
    }
    const onward = request(
      `${server}${asked.url}`,
      { method: asked.method, headers: { ...asked.headers, host: new URL(server).host }, ...tls, agent: false },
      (answered) => {
        answer.writeHead(answered.statusCode!, answered.headers)
        // A watch says nothing for long; its reader waits for the head.
        answer.flushHeaders()
        if (isWatch) this.watches.add(answer)
        answered.on('data', (piece: Buffer) => this.whenPassing(() => answer.write(piece)))
        answered.once('end', () => this.whenPassing(() => answer.end()))
        answered.on('error', () => answer.destroy())
      },
    )
    onward.on('error', () => answer.destroy())
    answer.once('close', () => {
      this.watches.delete(answer)
      onward.destroy()
    })
    asked.pipe(onward)
  }
}
