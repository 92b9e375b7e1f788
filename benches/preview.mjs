#!/usr/bin/env node
// How long the preview of the example takes, against `kubectl diff` of the same manifests on the
// same practice cluster in the same run. Prints both medians and their ratio.
//
//   node benches/preview.mjs [ROUNDS]          with target/debug/slipway
//   SLIPWAY_BINARY=target/release/slipway node benches/preview.mjs
//
// Needs kubectl, and the images of the example need not be built: a plan is made all the same.
import { spawn, spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'

const root = resolve(import.meta.dirname, '..')
const binary = resolve(process.env.SLIPWAY_BINARY ?? join(root, 'target/debug/slipway'))
const rounds = Number(process.argv[2] ?? 15)
const folder = mkdtempSync(join(tmpdir(), 'slipway-bench-'))
const project = join(folder, 'todo-chatbot')
cpSync(join(root, 'examples/todo-chatbot'), project, {
  recursive: true,
  filter: (path) => !/\/(backend|frontend|target)(\/|$)/.test(path.slice(root.length)),
})
const state = join(folder, 'state')
const env = { ...process.env, KUBECONFIG: join(folder, 'none') }
const server = spawn(
  binary,
  ['serve', '--no-open', '--listen', '127.0.0.1:0', '--state-dir', state, '--project', project, '--cluster', 'practice'],
  { env, stdio: ['ignore', 'pipe', 'inherit'] },
)

const median = (times) => times.sort((a, b) => a - b)[Math.floor(times.length / 2)]

try {
  const url = new URL(
    await new Promise((found, failed) => {
      createInterface({ input: server.stdout }).on('line', (line) => {
        const match = /ready at (\S+)$/.exec(line)
        if (match) found(match[1])
      })
      server.once('exit', (code) => failed(new Error(`slipway ended with ${code}`)))
    }),
  )
  const plan = () =>
    new Promise((answered, failed) => {
      const asked = request(`${url.origin}/api/deploys/plan`, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${url.hash.replace('#token=', '')}`,
          'x-slipway': '1',
          'content-type': 'application/json',
        },
      })
      asked.once('error', failed)
      asked.once('response', async (response) => {
        let text = ''
        for await (const chunk of response) text += chunk
        if (response.statusCode !== 200) failed(new Error(`${response.statusCode}: ${text}`))
        else answered(JSON.parse(text))
      })
      asked.end('{}')
    })
  const kubeconfig = join(state, 'practice/kubeconfig')
  const kubectl = (...args) => spawnSync('kubectl', ['--kubeconfig', kubeconfig, ...args], { env, encoding: 'utf8' })
  // Until the practice cluster is in use.
  for (let tries = 0; ; tries++) {
    try {
      await plan()
      break
    } catch (error) {
      if (tries > 100) throw error
      await new Promise((soon) => setTimeout(soon, 200))
    }
  }
  // Both compare with live objects, one field of which differs.
  const applied = kubectl('apply', '--server-side', '--field-manager=slipway', '-f', join(project, 'k8s'))
  if (applied.status !== 0) throw new Error(applied.stderr)
  kubectl('scale', 'deployment/backend', '--namespace=todo', '--replicas=0')
  const ours = []
  const theirs = []
  let objects = 0
  for (let round = 0; round < rounds; round++) {
    let start = performance.now()
    objects = (await plan()).objects.length
    ours.push(performance.now() - start)
    start = performance.now()
    const diff = kubectl('diff', '--server-side', '--force-conflicts', '--field-manager=slipway', '-f', join(project, 'k8s'))
    theirs.push(performance.now() - start)
    // 1 says that something differs.
    if (diff.status > 1) throw new Error(diff.stderr)
  }
  const [a, b] = [median(ours), median(theirs)]
  console.log(`${binary.includes('/release/') ? 'release' : 'dev'} build, ${objects} objects, ${rounds} rounds, medians`)
  console.log(`slipway preview ${a.toFixed(0)} ms (with policy findings and both views of every difference)`)
  console.log(`kubectl diff    ${b.toFixed(0)} ms (with its own start)`)
  console.log(`ratio           ${(a / b).toFixed(2)}`)
} finally {
  server.kill()
  await new Promise((done) => (server.exitCode === null ? server.once('exit', done) : done()))
  rmSync(folder, { recursive: true, force: true })
}
