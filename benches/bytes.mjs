#!/usr/bin/env node
// What a first visit costs: requests and bytes on the wire (brotli) until the page can be used, and
// the time to it, for the walk and for the demo screen, with an empty cache in a fresh browser.
//
//   node benches/bytes.mjs                     needs the built site, Chromium and end2end's node modules
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { build, chromiumOptions, example, folder, median, root, serve, table } from './lib/slipway.mjs'

const { chromium } = createRequire(join(root, 'end2end/package.json'))('@playwright/test')
const rounds = 5
const panel = await serve(folder(), example(join(folder(), 'project')))
const browser = await chromium.launch(chromiumOptions)

const visit = async (path, ready) => {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 } })
  const page = await context.newPage()
  const session = await context.newCDPSession(page)
  await session.send('Network.enable')
  const kinds = new Map()
  const sizes = {}
  let requests = 0
  let bytes = 0
  session.on('Network.responseReceived', ({ requestId, response }) => kinds.set(requestId, new URL(response.url).pathname))
  session.on('Network.requestWillBeSent', () => requests++)
  session.on('Network.loadingFinished', ({ requestId, encodedDataLength }) => {
    bytes += encodedDataLength
    sizes[kinds.get(requestId)] = encodedDataLength
  })
  // The stream never finishes; what it brought so far counts.
  const told = new Promise((first) =>
    session.on('Network.dataReceived', ({ requestId, dataLength }) => {
      if (kinds.get(requestId) !== '/events') return
      bytes += dataLength
      first()
    }),
  )
  const start = performance.now()
  await page.goto(new URL(path, panel.url).href + panel.url.hash)
  // The browser half runs once it has read the stream; what it shows is there two frames later.
  await told
  await page.locator(ready).first().waitFor()
  await page.evaluate(() => new Promise((soon) => requestAnimationFrame(() => requestAnimationFrame(soon))))
  const time = performance.now() - start
  const seen = { requests, bytes, time, sizes }
  await context.close()
  return seen
}

try {
  const rows = []
  for (const [what, path, ready] of [
    ['the walk', '/', 'main h1'],
    ['the demo screen', '/demo', 'main'],
  ]) {
    const visits = []
    for (let round = 0; round < rounds; round++) visits.push(await visit(path, ready))
    const { requests, bytes, sizes } = visits[0]
    const largest = Object.entries(sizes).sort((a, b) => b[1] - a[1])[0]
    rows.push([
      what,
      requests,
      `${(bytes / 1000).toFixed(0)} kB`,
      `${largest[0]}, ${(largest[1] / 1000).toFixed(0)} kB`,
      `${median(visits.map((visit) => visit.time)).toFixed(0)} ms`,
    ])
  }
  console.log(`${build}\n`)
  table(['first visit', 'requests', 'compressed bytes', 'the largest', 'until it can be used'], rows)
} finally {
  await browser.close()
  await panel.stop()
}
