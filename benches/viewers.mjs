#!/usr/bin/env node
// Many people looking: how far behind the last of them is while pods change, and what one costs the
// server in memory.
//
//   node benches/viewers.mjs [VIEWERS]         500 unless told; a server takes 1,024
import { readFileSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { join } from 'node:path'
import { build, changePod, folder, percentile, practice, serve, small, stillPod, table, until, usage } from './lib/slipway.mjs'

const viewers = Number(process.argv[2] ?? 500)
const rate = 50
const seconds = 20
const pods = '/api/v1/namespaces/seen/pods'
const state = folder()
const project = small(join(folder(), 'project'), 'seen', 'app', {
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'none' },
})
const cluster = await practice(state)
await cluster.ask('POST', '/api/v1/namespaces', { metadata: { name: 'seen' } })
const names = Array.from({ length: 10 }, (_, n) => `pod-${n}`)
for (const name of names) await cluster.ask('POST', pods, stillPod(name))
const panel = await serve(state, project)
const change = (name, word) => changePod(cluster, 'seen', name, word)

try {
  const link = JSON.parse(readFileSync(join(state, 'server.json'), 'utf8')).viewer_link
  const headers = { authorization: `Bearer ${link.split('#token=')[1]}`, accept: 'text/event-stream' }
  const agent = new Agent({ keepAlive: true, maxSockets: Infinity })
  const asked = new Map()
  // For every change, when the last viewer had it; and how long each took.
  const lags = []
  let heard = 0
  const watch = () =>
    new Promise((open, failed) => {
      const asking = request(`${panel.url.origin}/events`, { agent, headers })
      asking.once('error', failed)
      asking.once('response', (response) => {
        if (response.statusCode !== 200) return failed(new Error(`a viewer was answered ${response.statusCode}`))
        open()
        const known = new Set()
        response.on('data', (piece) => {
          const at = performance.now()
          for (const [word] of piece.toString('latin1').matchAll(/Bench\d+/g)) {
            const sent = asked.get(word)
            if (sent === undefined || known.has(word)) continue
            known.add(word)
            heard++
            lags.push(at - sent)
          }
        })
        response.on('error', () => {})
      })
      asking.end()
    })
  await until('the watch', async () => {
    await change(names[0], `Begin${Date.now()}`)
    return true
  })
  await new Promise((soon) => setTimeout(soon, 2000))
  const alone = usage(panel.pid)
  for (let n = 0; n < viewers; n += 25) await Promise.all(Array.from({ length: Math.min(25, viewers - n) }, watch))
  await new Promise((soon) => setTimeout(soon, 2000))
  const before = usage(panel.pid)
  const start = performance.now()
  const going = []
  for (let n = 0; n < rate * seconds; n++) {
    const wait = start + (n * 1000) / rate - performance.now()
    if (wait > 1) await new Promise((soon) => setTimeout(soon, wait))
    const word = `Bench${n}`
    asked.set(word, performance.now())
    going.push(change(names[n % names.length], word))
  }
  await Promise.all(going)
  const took = (performance.now() - start) / 1000
  // Of two changes of one pod within a batch only the later one is shown.
  let last = -1
  await until('the last viewer', () => {
    const quiet = heard === last
    last = heard
    return quiet
  }, { every: 1000 })
  const after = usage(panel.pid)
  const shown = heard / viewers
  console.log(`${build}, ${viewers} viewers, ${(going.length / took).toFixed(0)} changes a second for ${seconds} s, the viewers in the same machine's two cores\n`)
  table(
    ['what', 'value'],
    [
      ['changes each viewer saw', `${shown.toFixed(1)} of ${going.length}`],
      ['from the change to a viewer, p50', `${percentile(lags, 0.5).toFixed(0)} ms`],
      ['p99', `${percentile(lags, 0.99).toFixed(0)} ms`],
      ['the slowest', `${lags.reduce((a, b) => Math.max(a, b), 0).toFixed(0)} ms`],
      ['CPU of the server', `${((after.cpu - before.cpu) / took / 10).toFixed(0)} %`],
      ['memory for one viewer, idle', `${((before.resident - alone.resident) / viewers / 1000).toFixed(0)} kB`],
      ['memory for one viewer, after the changes', `${((after.resident - alone.resident) / viewers / 1000).toFixed(0)} kB`],
    ],
  )
  agent.destroy()
} finally {
  await panel.stop()
  await cluster.stop()
}
