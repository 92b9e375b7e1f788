#!/usr/bin/env node
// Lighthouse's scores of the walk's pages and of the demo screen, by its desktop settings, each the
// median of three visits.
//
//   npm install --prefix FOLDER lighthouse@12
//   node benches/lighthouse.mjs FOLDER         needs the built site and Chromium
import { join } from 'node:path'
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'
import { build, chromiumOptions, example, folder, median, serve, table } from './lib/slipway.mjs'

const packages = createRequire(join(process.argv[2] ?? '.', 'package.json'))
const load = (name) => import(pathToFileURL(packages.resolve(name)).href)
const { default: lighthouse, desktopConfig } = await load('lighthouse')
const { default: puppeteer } = await load('puppeteer-core')
const pages = ['/setup', '/secrets', '/images', '/deploy', '/assist', '/live', '/demo']
const rounds = 3
const panel = await serve(folder(), example(join(folder(), 'project')))
const browser = await puppeteer.launch(chromiumOptions)

const visit = async (path) => {
  // The link sets the tab's token; Lighthouse then visits the page in the same tab.
  const page = await browser.newPage()
  await page.goto(panel.url.href)
  await page.waitForFunction(() => location.hash === '' && document.title !== '')
  const settings = {
    output: 'json',
    onlyCategories: ['performance', 'accessibility', 'best-practices'],
    disableStorageReset: true,
    // The stream of news never ends, so the network is never idle.
    maxWaitForLoad: 8_000,
  }
  const { lhr } = await lighthouse(new URL(path, panel.url).href, settings, desktopConfig, page)
  await page.close()
  if (lhr.runtimeError) throw new Error(`${path}: ${lhr.runtimeError.message}`)
  const { categories, audits } = lhr
  const score = (name) => Math.round(categories[name].score * 100)
  const failed = Object.values(categories)
    .flatMap(({ auditRefs }) => auditRefs)
    .filter(({ id, weight }) => weight > 0 && audits[id].score !== null && audits[id].score < 0.9)
    .map(({ id }) => `${id} ${audits[id].displayValue ?? ''}`.trim())
  return {
    performance: score('performance'),
    accessibility: score('accessibility'),
    practices: score('best-practices'),
    paint: audits['largest-contentful-paint'].numericValue,
    blocked: audits['total-blocking-time'].numericValue,
    shift: audits['cumulative-layout-shift'].numericValue,
    failed,
  }
}

try {
  const rows = []
  for (const path of pages) {
    const seen = []
    for (let n = 0; n < rounds; n++) seen.push(await visit(path))
    const of = (what) => median(seen.map((one) => one[what]))
    rows.push([
      path,
      of('performance'),
      of('accessibility'),
      of('practices'),
      `${of('paint').toFixed(0)} ms`,
      `${of('blocked').toFixed(0)} ms`,
      of('shift').toFixed(3),
    ])
    const failed = new Set(seen.flatMap((one) => one.failed))
    if (failed.size > 0) console.log(`${path} lost points by: ${[...failed].join('; ')}`)
  }
  console.log(`\n${build}\n`)
  table(['page', 'performance', 'accessibility', 'best practices', 'largest paint', 'blocked', 'shift'], rows)
} finally {
  await browser.close()
  await panel.stop()
}
