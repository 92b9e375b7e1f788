#!/usr/bin/env node
// Following a log: a pod writes as fast as it can, and Slipway's followed log and `kubectl logs -f`
// read the same container at the same time. When each has read the last line, and whether a line is
// missing: Slipway sends a page only as many lines as it can show, and counts the others.
//
//   node benches/logs.mjs [LINES]              200,000 unless told
//
// Deploys the example project; any browser test compiles it.
import { createHash } from 'node:crypto'
import { openSync, readdirSync, readFileSync, writeSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { api, build, folder, root, serve, table, until, usage } from './lib/slipway.mjs'

const count = Number(process.argv[2] ?? 200_000)
const state = folder()
const panel = await serve(state, join(root, 'examples/todo-chatbot'))
const call = async (path, body) => (await panel.call(`/api/${path}`, body)).json()

/** The panel's state: the first message of its stream. */
const look = () =>
  new Promise((found, failed) => {
    const asked = request(`${panel.url.origin}/events`, { headers: panel.headers }, (stream) => {
      let text = ''
      stream.setEncoding('utf8')
      stream.on('error', () => {})
      stream.on('data', (piece) => {
        text += piece
        const end = text.indexOf('\n\n')
        if (end < 0) return
        stream.destroy()
        found(JSON.parse(text.slice('data: '.length, end)).snapshot.state)
      })
    })
    asked.on('error', failed)
    asked.end()
  })
const done = (...steps) =>
  until(`${steps} done`, async () => {
    const now = (await look()).steps
    return steps.every((step) => now[step]?.done !== undefined)
  }, { seconds: 120, every: 200 })

/** Where the standard output of the pods of this state folder goes. */
const outputs = () => {
  const node = createHash('sha256').update(join(state, 'practice')).digest('hex').slice(0, 32)
  const isOurs = (pid) => {
    try {
      return readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0').includes(`SLIPWAY_NODE=${node}`)
    } catch {
      return false
    }
  }
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name)).filter(isOurs).map((pid) => `/proc/${pid}/fd/1`)
}

/** Follows through Slipway; `read` counts every line, `shown` those that a page got. */
const followSlipway = () => {
  const seen = { read: 0, shown: 0, skipped: 0 }
  const headers = { ...panel.headers, 'content-type': 'application/json', accept: 'text/event-stream' }
  const asked = request(`${panel.url.origin}/follow/logs`, { method: 'POST', headers }, (stream) => {
    let rest = ''
    stream.setEncoding('utf8')
    stream.on('error', () => {})
    stream.on('data', (piece) => {
      const frames = (rest + piece).split('\n\n')
      rest = frames.pop()
      for (const frame of frames) {
        const told = JSON.parse(frame.slice('data: '.length))
        if (told.failed) throw new Error(told.failed.why)
        if (!told.lines) continue
        seen.read += told.lines.read
        seen.shown += told.lines.lines.length
        seen.skipped += told.lines.skipped
      }
    })
  })
  asked.end(JSON.stringify({ component: 'backend', pod: null, container: null, previous: false, text: '', level: null, tail: 0 }))
  return { seen, stop: () => asked.destroy() }
}

try {
  await done('setup')
  await call('secrets/set', { key: 'DATABASE_URL', value: 'sqlite:///data/todo.db?mode=rwc' })
  await call('secrets/generate', { key: 'AUTH_SECRET' })
  await done('secrets')
  await call('images/build', { components: [] })
  await done('images')
  const plan = await call('deploys/plan', {})
  await call('deploys/deploy', { plan_hash: plan.hash, prune: true })
  await done('deploy', 'live')

  const cluster = api(join(state, 'practice/kubeconfig'), state)
  const { pods } = await look()
  const pod = Object.values(pods).find(({ component }) => component === 'backend').name
  const kubectl = cluster.kubectlStream('-n', 'todo', 'logs', '-f', '--tail=0', `pod/${pod}`)
  let printed = 0
  createInterface({ input: kubectl.stdout }).on('line', (line) => {
    if (line.includes('bench line')) printed++
  })
  const slipway = followSlipway()
  await until('both to follow', async () => {
    for (const output of outputs()) writeSync(openSync(output, 'w'), 'bench line to begin with\n')
    return printed > 0 && slipway.seen.read > 0
  }, { every: 500 })
  await new Promise((settled) => setTimeout(settled, 1_000))

  // Which of the outputs is the backend's shows itself: kubectl prints what is written there.
  let output
  for (const candidate of outputs()) {
    const before = printed
    writeSync(openSync(candidate, 'w'), 'bench line to find out\n')
    await new Promise((soon) => setTimeout(soon, 500))
    if (printed > before) output = openSync(candidate, 'w')
  }
  const [printedBefore, readBefore] = [printed, slipway.seen.read]
  const before = { panel: usage(panel.pid), kubectl: usage(kubectl.pid) }
  const start = performance.now()
  const line = (n) => `INFO bench line ${n} of a log that says something about a request, as logs do\n`
  for (let n = 0; n < count; n += 1_000) {
    writeSync(output, Array.from({ length: 1_000 }, (_, k) => line(n + k)).join(''))
    // Both readers want the processor, too.
    await new Promise((soon) => setImmediate(soon))
  }
  const written = performance.now()
  let [ours, theirs] = [0, 0]
  await until('both to have read all', () => {
    if (!theirs && printed - printedBefore >= count) theirs = performance.now()
    if (!ours && slipway.seen.read - readBefore >= count) ours = performance.now()
    return ours && theirs
  }, { seconds: 120, every: 10 })
  const after = { panel: usage(panel.pid), kubectl: usage(kubectl.pid) }
  const cpu = (name) => after[name].cpu - before[name].cpu
  const rate = (end) => count / ((end - start) / 1000)
  const missing = (read) => String(count - read)
  console.log(`\n${count} lines, written in ${((written - start) / 1000).toFixed(1)} s, ${build}\n`)
  table(
    ['what', 'Slipway', '`kubectl logs -f`', 'ratio'],
    [
      ['lines a second', rate(ours).toFixed(0), rate(theirs).toFixed(0), (rate(ours) / rate(theirs)).toFixed(2)],
      ['lines that are missing', missing(slipway.seen.read - readBefore), missing(printed - printedBefore), ''],
      ['CPU, with the practice cluster in Slipway', `${cpu('panel')} ms`, `${cpu('kubectl')} ms`, (cpu('panel') / cpu('kubectl')).toFixed(2)],
    ],
  )
  console.log(`\nThe page was sent ${slipway.seen.shown} lines, and told of ${slipway.seen.skipped} more.`)
  slipway.stop()
  kubectl.kill()
} finally {
  await panel.stop()
}
