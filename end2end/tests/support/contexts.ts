import { readFileSync, writeFileSync } from 'node:fs'
import { connect, createServer, type Server } from 'node:net'

/** One context to be: which practice cluster it leads to, and whether through a proxy from far away. */
export interface Context {
  name: string
  kubeconfig: string
  /** Looks as if it were elsewhere: the address is nobody's, and this proxy leads to the cluster. */
  proxyPort?: number
}

/** Writes a kubeconfig with these contexts, and as many more that lead nowhere as wished. */
export function writeContexts(path: string, contexts: Context[], more = 0): string {
  const clusters: string[] = []
  const users: string[] = []
  const named: string[] = []
  for (const { name, kubeconfig, proxyPort } of contexts) {
    const text = readFileSync(kubeconfig, 'utf8')
    const value = (key: string) => new RegExp(`${key}: (\\S+)`).exec(text)![1]
    const far = `server: 'https://10.255.255.1:6443', tls-server-name: localhost, proxy-url: 'http://127.0.0.1:${proxyPort}'`
    const server = proxyPort ? far : `server: '${value('server')}'`
    clusters.push(`- {name: ${name}, cluster: {${server}, certificate-authority-data: ${value('certificate-authority-data')}}}`)
    users.push(
      `- {name: ${name}, user: {client-certificate-data: ${value('client-certificate-data')}, client-key-data: ${value('client-key-data')}}}`,
    )
    named.push(`- {name: ${name}, context: {cluster: ${name}, user: ${name}}}`)
  }
  if (more) clusters.push("- {name: nowhere, cluster: {server: 'https://k8s.invalid:6443'}}")
  for (let number = 1; number <= more; number++) named.push(`- {name: team-${number}, context: {cluster: nowhere}}`)
  writeFileSync(
    path,
    `apiVersion: v1\nkind: Config\nclusters:\n${clusters.join('\n')}\ncontexts:\n${named.join('\n')}\nusers:\n${users.join('\n')}\n`,
  )
  return path
}

/** A CONNECT proxy through which every address leads to the server of this kubeconfig. */
export async function proxyTo(kubeconfig: string): Promise<{ port: number; close: () => void }> {
  const target = Number(/server: https:\/\/127\.0\.0\.1:(\d+)/.exec(readFileSync(kubeconfig, 'utf8'))![1])
  const server: Server = createServer((near) => {
    near.on('error', () => {})
    near.once('data', () => {
      const far = connect(target, '127.0.0.1', () => {
        near.write('HTTP/1.1 200 Connection established\r\n\r\n')
        near.pipe(far).pipe(near)
      })
      far.on('error', () => near.destroy())
    })
  })
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  return { port: (server.address() as { port: number }).port, close: () => server.close() }
}
