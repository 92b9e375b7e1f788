// What the benches share: Slipway on a practice cluster of its own in a temporary folder, the
// cluster's API by certificate, and numbers.
import { spawn, spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { request as requestHttp } from 'node:http'
import { Agent, request as requestHttps } from 'node:https'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'

export const root = resolve(import.meta.dirname, '../..')
/** The binary to measure: `SLIPWAY_BINARY`, or the dev build. */
export const binary = resolve(process.env.SLIPWAY_BINARY ?? join(root, 'target/debug/slipway'))
export const build = binary.includes('/release/') ? 'release build' : 'dev build'
/** How Playwright and Puppeteer start the browser. */
export const chromiumOptions = {
  executablePath: process.env.SLIPWAY_CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'],
}

const tool = (name, own) => {
  const tools = resolve(process.env.SLIPWAY_TEST_TOOLS ?? join(root, 'target/tools'))
  const path = join(tools, own)
  return existsSync(path) ? path : name
}
export const kubectlPath = tool('kubectl', 'kubectl-1.35/kubectl')

/** The value below which `share` (0 to 1) of the numbers lie. */
export const percentile = (numbers, share) => {
  const sorted = [...numbers].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]
}
export const median = (numbers) => percentile(numbers, 0.5)

/** Prints rows of cells as a Markdown table, ready for docs/performance.md. */
export const table = (head, rows) => {
  const line = (cells) => `| ${cells.join(' | ')} |`
  console.log([line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n'))
}

/** Waits for a condition, looked at every `every` milliseconds. */
export const until = async (what, condition, { seconds = 60, every = 50 } = {}) => {
  const end = performance.now() + seconds * 1000
  for (;;) {
    const value = await condition()
    if (value) return value
    if (performance.now() > end) throw new Error(`waited ${seconds} s for ${what}`)
    await new Promise((soon) => setTimeout(soon, every))
  }
}

/** Resident memory in bytes and CPU time in milliseconds of a process (Linux). */
export const usage = (pid) => {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  // utime and stime are the 14th and 15th fields; the name before them may hold blanks.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return {
    resident: Number(/VmRSS:\s+(\d+)/.exec(status)[1]) * 1024,
    cpu: (Number(fields[11]) + Number(fields[12])) * 10,
  }
}

/** A temporary folder that goes with the process's end. */
export const folder = () => {
  const path = mkdtempSync(join(tmpdir(), 'slipway-bench-'))
  process.on('exit', () => rmSync(path, { recursive: true, force: true }))
  return path
}

/** Makes a folder a copy of the example project, without what was compiled in it. */
export const example = (project) => {
  cpSync(join(root, 'examples/todo-chatbot'), project, {
    recursive: true,
    filter: (path) => !/\/target(\/|$)/.test(path.slice(root.length)),
  })
  return project
}

/** Makes a folder a project of one component, called like its namespace, with this object as its only manifest. */
export const small = (project, name, component, object) => {
  for (const inside of ['app', 'k8s']) mkdirSync(join(project, inside), { recursive: true })
  writeFileSync(
    join(project, 'slipway.toml'),
    `[project]
name = "${name}"
namespace = "${name}"

[[component]]
name = "${component}"
context = "app"
port = 8000

[component.pack]
binary = "app/program"

[deploy]
manifests = "k8s"
`,
  )
  writeFileSync(join(project, 'k8s/object.json'), JSON.stringify(object))
  return project
}

const environment = (state) => ({ ...process.env, KUBECONFIG: join(state, 'none') })

const started = async (args, state, ready) => {
  const child = spawn(binary, [...args, '--state-dir', state], {
    env: environment(state),
    stdio: ['ignore', 'pipe', process.env.BENCH_LOG ? 'inherit' : 'ignore'],
  })
  process.on('exit', () => child.kill('SIGKILL'))
  const said = await new Promise((found, failed) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      const match = ready.exec(line)
      if (match) found(match[1])
    })
    child.once('exit', (code) => failed(new Error(`slipway ended with ${code}`)))
  })
  const stop = () =>
    new Promise((done) => {
      if (child.exitCode !== null) return done()
      child.once('exit', done)
      child.kill()
    })
  return { said, pid: child.pid, stop }
}

/** `slipway practice` alone, in a process of its own. */
export const practice = async (state) => {
  const process = await started(['practice'], state, /^(\S+kubeconfig)$/)
  return { ...process, ...api(process.said, state) }
}

/** `slipway serve` of a project on the practice cluster of the state folder. */
export const serve = async (state, project) => {
  const args = ['serve', '--no-open', '--listen', '127.0.0.1:0', '--project', project, '--cluster', 'practice']
  const process = await started(args, state, /ready at (\S+)$/)
  const url = new URL(process.said)
  const token = url.hash.replace('#token=', '')
  const headers = { authorization: `Bearer ${token}`, 'x-slipway': '1' }
  const call = (path, body) =>
    answer(
      requestHttp(`${url.origin}${path}`, {
        method: 'POST',
        headers: { ...headers, 'content-type': 'application/json' },
      }),
      JSON.stringify(body ?? {}),
    )
  return { ...process, url, headers, call }
}

const answer = (asked, body) =>
  new Promise((answered, failed) => {
    asked.once('error', failed)
    asked.once('response', async (response) => {
      const pieces = []
      for await (const piece of response) pieces.push(piece)
      const text = Buffer.concat(pieces).toString()
      if (response.statusCode >= 300) failed(new Error(`${asked.path}: ${response.statusCode}: ${text.slice(0, 500)}`))
      else answered({ text, bytes: text.length, json: () => (text === '' ? null : JSON.parse(text)) })
    })
    asked.end(body)
  })

/** The cluster behind a kubeconfig: requests by certificate, and the real kubectl. */
export const api = (kubeconfig, state) => {
  const env = environment(state)
  const kubectl = (...args) =>
    spawnSync(kubectlPath, ['--kubeconfig', kubeconfig, ...args], { env, encoding: 'utf8', maxBuffer: 1 << 28 })
  const kubectlStream = (...args) =>
    spawn(kubectlPath, ['--kubeconfig', kubeconfig, ...args], { env, stdio: ['ignore', 'pipe', 'ignore'] })
  const view = JSON.parse(kubectl('config', 'view', '--raw', '-o', 'json').stdout)
  const decoded = (text) => Buffer.from(text, 'base64')
  const cluster = view.clusters[0].cluster
  const user = view.users[0].user
  const agent = new Agent({
    keepAlive: true,
    maxSockets: 32,
    ca: decoded(cluster['certificate-authority-data']),
    cert: decoded(user['client-certificate-data']),
    key: decoded(user['client-key-data']),
  })
  const open = (method, path, headers = {}) => requestHttps(`${cluster.server}${path}`, { method, agent, headers })
  const ask = (method, path, body, type = 'application/json') =>
    answer(open(method, path, body === undefined ? {} : { 'content-type': type }), body && JSON.stringify(body))
  return { kubeconfig, kubectl, kubectlStream, open, ask, merge: 'application/merge-patch+json' }
}

/** Runs `work` for every item, `together` at a time. */
export const each = async (items, together, work) => {
  const queue = [...items].reverse()
  await Promise.all(
    Array.from({ length: together }, async () => {
      while (queue.length > 0) await work(queue.pop())
    }),
  )
}

/** A pod that stays an object: no scheduler feels responsible for it. */
export const stillPod = (name, labels = {}) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, labels },
  spec: {
    schedulerName: 'nobody',
    containers: [
      {
        name: 'app',
        image: 'still:v1',
        ports: [{ containerPort: 8000 }],
        env: [{ name: 'NAME', value: name }],
        readinessProbe: { httpGet: { path: '/health', port: 8000 } },
      },
    ],
  },
})

/** Changes a pod as its node would: its container waits now, for a reason that this word names. */
export const changePod = (cluster, namespace, name, word) =>
  cluster.ask(
    'PATCH',
    `/api/v1/namespaces/${namespace}/pods/${name}/status`,
    {
      status: {
        containerStatuses: [
          { name: 'app', ready: false, restartCount: 0, image: 'still:v1', imageID: '', state: { waiting: { reason: word } } },
        ],
      },
    },
    cluster.merge,
  )
