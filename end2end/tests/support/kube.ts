import { readFileSync } from 'node:fs'
import { request } from 'node:https'
import { execFileSync } from 'node:child_process'

/** Asks a cluster's API server itself, by the client certificate of a kubeconfig. */
export async function askCluster<T>(kubeconfig: string, path: string): Promise<T> {
  const text = readFileSync(kubeconfig, 'utf8')
  const value = (key: string) => new RegExp(`"?${key}"?:\\s*"?([^"\\s,}]+)`).exec(text)?.[1]
  const pem = (key: string) => {
    const encoded = value(key)
    return encoded && Buffer.from(encoded, 'base64')
  }
  const token = value('token')
  const body = await new Promise<string>((answered, failed) => {
    const asked = request(
      `${value('server')}${path}`,
      {
        ca: pem('certificate-authority-data'),
        cert: pem('client-certificate-data'),
        key: pem('client-key-data'),
        headers: { accept: 'application/json', ...(token ? { authorization: `Bearer ${token}` } : {}) },
        agent: false,
      },
      (response) => {
        let body = ''
        response.on('data', (chunk) => (body += chunk))
        response.once('end', () => {
          if (response.statusCode === 200) answered(body)
          else failed(new Error(`${path} was answered with ${response.statusCode}: ${body}`))
        })
      },
    )
    asked.once('error', failed)
    asked.end()
  })
  return JSON.parse(body) as T
}

/** The real kubectl on a cluster; gives what it prints. */
export function kubectl(kubeconfig: string, ...args: string[]): string {
  return execFileSync('kubectl', ['--kubeconfig', kubeconfig, ...args], { encoding: 'utf8' })
}

/** Changes something on a cluster itself; a refusal is only told. */
export async function changeCluster(kubeconfig: string, method: 'POST' | 'DELETE', path: string, object?: unknown): Promise<number> {
  const text = readFileSync(kubeconfig, 'utf8')
  const value = (key: string) => new RegExp(`"?${key}"?:\\s*"?([^"\\s,}]+)`).exec(text)?.[1]
  const pem = (key: string) => Buffer.from(value(key) ?? '', 'base64')
  return await new Promise((answered, failed) => {
    const asked = request(
      `${value('server')}${path}`,
      {
        method,
        ca: pem('certificate-authority-data'),
        cert: pem('client-certificate-data'),
        key: pem('client-key-data'),
        headers: { 'content-type': 'application/json' },
        agent: false,
      },
      (response) => {
        response.resume()
        response.once('end', () => answered(response.statusCode!))
      },
    )
    asked.once('error', failed)
    asked.end(object === undefined ? undefined : JSON.stringify(object))
  })
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
