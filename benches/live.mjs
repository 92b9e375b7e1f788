#!/usr/bin/env node
// From a change in the cluster to the painted line on the Live page, against `kubectl get pods -w`
// printing its line: the same changes, the same run, one browser. A bare page that writes each change
// into one line shows what any page takes: a browser paints when the screen's next frame is due, and
// a terminal's line is not painted here at all. Then what the server uses while many pods churn,
// against `kubectl get pods -w -o json` on the same stream.
//
//   node benches/live.mjs [PODS]               10 and 5,000 unless told
//
// The pods belong to a Deployment that nobody schedules. Needs the site (`cargo xtask build` or any
// browser test builds it), Chromium and end2end's node modules.
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { build, changePod, chromiumOptions, folder, percentile, practice, root, serve, small, stillPod, table, until, usage } from './lib/slipway.mjs'

const { chromium } = createRequire(join(root, 'end2end/package.json'))('@playwright/test')
const many = Number(process.argv[2] ?? 5000)
const changes = Number(process.env.BENCH_CHANGES ?? 100)
const churnSeconds = 20
const churnRate = 50
const pods = '/api/v1/namespaces/live/pods'
const now = () => performance.timeOrigin + performance.now()

const state = folder()
const template = stillPod('app', { app: 'app' })
const deployment = (replicas) => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'app', namespace: 'live' },
  spec: {
    replicas,
    selector: { matchLabels: { app: 'app' } },
    template: { metadata: { labels: { app: 'app' } }, spec: template.spec },
  },
})
const project = small(join(folder(), 'project'), 'live', 'app', deployment(0))

/** Notes, in the page, when a word that a change brought was painted. */
const watchPaints = () => {
  window.changed = {}
  window.painted = {}
  const seen = (text) => {
    for (const [word] of text?.matchAll(/Bench\d+/g) ?? []) {
      if (word in window.painted) continue
      window.painted[word] = 0
      window.changed[word] = performance.timeOrigin + performance.now()
      // The frame after the next one's start has the change on the screen.
      requestAnimationFrame(() => {
        const channel = new MessageChannel()
        channel.port1.onmessage = () => (window.painted[word] = performance.timeOrigin + performance.now())
        channel.port2.postMessage(0)
      })
    }
  }
  new MutationObserver((records) => {
    for (const record of records) {
      if (record.type === 'characterData') seen(record.target.data)
      for (const node of record.addedNodes) seen(node.textContent)
    }
  }).observe(document.body, { subtree: true, childList: true, characterData: true })
}

const cluster = await practice(state)
await cluster.ask('POST', '/api/v1/namespaces', { metadata: { name: 'live' } })
await cluster.ask('POST', '/apis/apps/v1/namespaces/live/deployments', deployment(0))
const panel = await serve(state, project)
const browser = await chromium.launch(chromiumOptions)

const scale = async (replicas) => {
  await cluster.ask('PATCH', '/apis/apps/v1/namespaces/live/deployments/app', { spec: { replicas } }, cluster.merge)
  const count = async () => {
    const list = (await cluster.ask('GET', `${pods}?limit=1`)).json()
    return list.items.length + (list.metadata.remainingItemCount ?? 0)
  }
  await until(`${replicas} pods`, async () => (await count()) === replicas, { seconds: 240, every: 500 })
  return (await cluster.ask('GET', pods)).json().items.map((pod) => pod.metadata.name)
}

const change = (name, word) => changePod(cluster, 'live', name, word)

const rows = []
let word = 0

const newPage = () => browser.newPage({ viewport: { width: 1440, height: 900 } })

/** The Live page, and the pods that it shows. */
const livePage = async (count) => {
  const page = await newPage()
  await page.goto(new URL('/live', panel.url).href + panel.url.hash)
  const shown = await until(
    'pods on the page',
    async () => {
      const labels = await page.locator('[aria-label^="Pod "]').evaluateAll((all) => all.map((one) => one.getAttribute('aria-label').slice(4)))
      return labels.length >= Math.min(count, 10) && labels
    },
    { every: 200 },
  )
  return { page, shown }
}

/** Reads the same stream and writes the newest change into one line. */
const barePage = async (names) => {
  const page = await newPage()
  const place = `${panel.url.origin}/bare`
  await page.route(place, (route) => route.fulfill({ contentType: 'text/html', body: '<p id="line">Nothing yet</p>' }))
  await page.goto(place)
  await page.unroute(place)
  await page.evaluate(async (headers) => {
    const stream = await fetch('/events', { headers })
    const reader = stream.body.pipeThrough(new TextDecoderStream()).getReader()
    const write = async () => {
      // A word may come in two pieces.
      let end = ''
      for (;;) {
        const { value, done } = await reader.read()
        if (done) return
        const words = (end + value).match(/Bench\d+\b/g)
        end = value.slice(-12)
        if (words) document.getElementById('line').textContent = words.join(' ')
      }
    }
    void write()
  }, panel.headers)
  return { page, shown: names }
}

/** Changes pods one after the other and takes the time to kubectl, to the page's document and to its paint. */
const latency = async (names, { page, shown }) => {
  await page.evaluate(watchPaints)
  const printed = new Map()
  const kubectl = cluster.kubectlStream('-n', 'live', 'get', 'pods', '-w')
  let lines = 0
  createInterface({ input: kubectl.stdout }).on('line', (line) => {
    lines++
    const match = /Bench\d+/.exec(line)
    if (match && !printed.has(match[0])) printed.set(match[0], now())
  })
  await until('the first lines of kubectl', () => lines > names.length, { seconds: 120 })
  const asked = new Map()
  const visible = shown.filter((name) => names.includes(name)).slice(0, 10)
  for (let n = 0; n < changes; n++) {
    const token = `Bench${++word}`
    asked.set(token, now())
    await change(visible[n % visible.length], token)
    await until(`${token} at kubectl`, () => printed.has(token), { every: 5, seconds: 20 })
    // Not in step with anything.
    await new Promise((soon) => setTimeout(soon, 20 + Math.random() * 60))
  }
  const last = `Bench${word}`
  await until('the last change on the page', () => page.evaluate((last) => window.painted[last], last), { every: 50, seconds: 30 })
  const [changed, painted] = await page.evaluate(() => [window.changed, window.painted])
  const [ours, theirs, dom] = [[], [], []]
  for (const [token, at] of asked) {
    if (!painted[token]) throw new Error(`${token} was not painted`)
    ours.push(painted[token] - at)
    dom.push(changed[token] - at)
    theirs.push(printed.get(token) - at)
  }
  kubectl.kill()
  return { dom, painted: ours, kubectl: theirs }
}

const measure = async (count) => {
  const names = await scale(count)
  const bare = await barePage(names)
  const floor = await latency(names, bare)
  await bare.page.close()
  const live = await livePage(count)
  const ours = await latency(names, live)
  for (const share of [0.5, 0.99]) {
    for (const what of ['dom', 'painted']) {
      const [a, b, c] = [ours[what], ours.kubectl, floor[what]].map((times) => percentile(times, share))
      rows.push([
        `${what === 'dom' ? 'in the document' : 'painted'}, p${share * 100}, ${count} pods`,
        ...[a, b, c].map((time) => `${time.toFixed(1)} ms`),
        (a / b).toFixed(2),
        (a / c).toFixed(2),
      ])
    }
  }
  return { ...live, names }
}

/** What the server and kubectl use while pods change, with one page looking. */
const churn = async (names, what) => {
  const kubectl = cluster.kubectlStream('-n', 'live', 'get', 'pods', '-w', '-o', 'json')
  let bytes = 0
  kubectl.stdout.on('data', (piece) => (bytes += piece.length))
  await until('the stream of kubectl', () => bytes > names.length * 500, { seconds: 120 })
  await new Promise((soon) => setTimeout(soon, 2000))
  const pids = { panel: panel.pid, kubectl: kubectl.pid, cluster: cluster.pid }
  const before = Object.fromEntries(Object.entries(pids).map(([name, pid]) => [name, usage(pid)]))
  const start = performance.now()
  const going = []
  for (let n = 0; n < churnSeconds * churnRate; n++) {
    const wait = start + (n * 1000) / churnRate - performance.now()
    if (wait > 1) await new Promise((soon) => setTimeout(soon, wait))
    going.push(change(names[(n * 37) % names.length], `Bench${++word}`))
  }
  await Promise.all(going)
  const seconds = (performance.now() - start) / 1000
  const after = Object.fromEntries(Object.entries(pids).map(([name, pid]) => [name, usage(pid)]))
  kubectl.kill()
  const cpu = (name) => (after[name].cpu - before[name].cpu) / seconds / 10
  const memory = (name) => after[name].resident / 1e6
  const rate = (names.length && (churnSeconds * churnRate) / seconds).toFixed(0)
  rows.push(
    [`CPU, ${names.length} pods, ${rate} changes a second, ${what}`, `${cpu('panel').toFixed(0)} %`, `${cpu('kubectl').toFixed(0)} %`, '', (cpu('panel') / cpu('kubectl')).toFixed(2), ''],
    [`resident memory, the same`, `${memory('panel').toFixed(0)} MB`, `${memory('kubectl').toFixed(0)} MB`, '', (memory('panel') / memory('kubectl')).toFixed(2), ''],
  )
}

try {
  const few = await measure(10)
  await few.page.close()
  const lots = await measure(many)
  await churn(lots.names, 'one page')
  await lots.page.close()
  await churn(lots.names, 'no page')
  console.log(`${build}\n`)
  table(['what', 'Slipway', 'kubectl', 'a bare page', 'to kubectl', 'to a bare page'], rows)
} finally {
  await browser.close()
  await panel.stop()
  await cluster.stop()
}
