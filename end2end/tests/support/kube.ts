import { readFileSync } from 'node:fs'
import { request } from 'node:https'
import { execFileSync } from 'node:child_process'

/** Where a kubeconfig of one context leads, and as whom. */
export function credentials(kubeconfig: string) {
  const text = readFileSync(kubeconfig, 'utf8')
  const value = (key: string) => new RegExp(`"?${key}"?:\\s*"?([^"\\s,}]+)`).exec(text)?.[1]
  const pem = (key: string) => {
    const encoded = value(key)
    return encoded && Buffer.from(encoded, 'base64')
  }
  return {
    server: value('server')!,
    token: value('token'),
    tls: { ca: pem('certificate-authority-data'), cert: pem('client-certificate-data'), key: pem('client-key-data') },
  }
}

/** Asks a cluster's API server itself, as whoever a kubeconfig names. */
export async function askCluster<T>(kubeconfig: string, path: string): Promise<T> {
  const { status, body } = await send(kubeconfig, 'GET', path)
  if (status !== 200) throw new Error(`${path} was answered with ${status}: ${body}`)
  return JSON.parse(body) as T
}

/** Changes something on a cluster itself; a refusal is only told. */
export async function changeCluster(kubeconfig: string, method: 'POST' | 'DELETE', path: string, object?: unknown): Promise<number> {
  return (await send(kubeconfig, method, path, object)).status
}

async function send(kubeconfig: string, method: string, path: string, object?: unknown): Promise<{ status: number; body: string }> {
  const { server, token, tls } = credentials(kubeconfig)
  const headers = {
    accept: 'application/json',
    'content-type': 'application/json',
    ...(token ? { authorization: `Bearer ${token}` } : {}),
  }
  return await new Promise((answered, failed) => {
    const asked = request(`${server}${path}`, { method, ...tls, headers, agent: false }, (response) => {
      let body = ''
      response.on('data', (chunk) => (body += chunk))
      response.once('end', () => answered({ status: response.statusCode!, body }))
    })
    asked.once('error', failed)
    asked.end(object === undefined ? undefined : JSON.stringify(object))
  })
}

/** The real kubectl on a cluster; gives what it prints. */
export function kubectl(kubeconfig: string, ...args: string[]): string {
  return execFileSync('kubectl', ['--kubeconfig', kubeconfig, ...args], { encoding: 'utf8' })
}

/** A Deployment, as far as a rollout needs it. */
export interface Deployment {
  metadata: { name: string; generation: number }
  spec: { replicas: number }
  status: { observedGeneration?: number; updatedReplicas?: number; availableReplicas?: number; replicas?: number }
}

/** By the rules of `kubectl rollout status`. */
export function isComplete({ metadata, spec, status }: Deployment): boolean {
  return (
    (status.observedGeneration ?? 0) >= metadata.generation &&
    status.updatedReplicas === spec.replicas &&
    status.availableReplicas === spec.replicas &&
    status.replicas === spec.replicas
  )
}
