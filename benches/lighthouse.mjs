#!/usr/bin/env node
// Lighthouse's scores of the walk's pages and of the demo screen, by its desktop settings, each the
// median of three visits.
//
//   npm install --prefix FOLDER lighthouse@12
//   node benches/lighthouse.mjs FOLDER         needs the built site and Chromium
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { build, example, folder, median, root, serve, table } from './lib/slipway.mjs'

const cli = join(process.argv[2] ?? '.', 'node_modules/lighthouse/cli/index.js')
const pages = ['/setup', '/secrets', '/images', '/deploy', '/assist', '/live', '/demo']
const rounds = 3
const panel = await serve(folder(), example(join(folder(), 'project')))

const visit = async (path) => {
  const args = [
    cli,
    new URL(path, panel.url).href + panel.url.hash,
    '--quiet',
    '--output=json',
    '--preset=desktop',
    '--only-categories=performance,accessibility,best-practices',
    // The stream of news never ends, so the network is never idle.
    '--max-wait-for-load=8000',
    '--chrome-flags=--headless=new --no-sandbox --disable-gpu --disable-background-networking',
  ]
  const env = { ...process.env, CHROME_PATH: process.env.SLIPWAY_CHROMIUM ?? '/usr/bin/chromium' }
  const { stdout } = await promisify(execFile)(process.execPath, args, { env, maxBuffer: 1 << 28 })
  const { categories, audits } = JSON.parse(stdout)
  const score = (name) => Math.round(categories[name].score * 100)
  const failed = categories.accessibility.auditRefs
    .filter(({ id, weight }) => weight > 0 && audits[id].score !== null && audits[id].score < 1)
    .map(({ id }) => id)
  return {
    performance: score('performance'),
    accessibility: score('accessibility'),
    practices: score('best-practices'),
    paint: audits['largest-contentful-paint'].numericValue,
    blocked: audits['total-blocking-time'].numericValue,
    failed,
  }
}

try {
  const rows = []
  const failed = new Set()
  for (const path of pages) {
    const seen = []
    for (let n = 0; n < rounds; n++) seen.push(await visit(path))
    const of = (what) => median(seen.map((one) => one[what]))
    seen.flatMap((one) => one.failed).forEach((id) => failed.add(`${path}: ${id}`))
    rows.push([path, of('performance'), of('accessibility'), of('practices'), `${of('paint').toFixed(0)} ms`, `${of('blocked').toFixed(0)} ms`])
  }
  console.log(`\n${build}\n`)
  table(['page', 'performance', 'accessibility', 'best practices', 'largest paint', 'blocked'], rows)
  if (failed.size > 0) console.log(`\nLost points of accessibility: ${[...failed].join(', ')}`)
} finally {
  await panel.stop()
}
