#!/usr/bin/env node
// How long Slipway takes to know whether the sources of an image changed, against `tar c | sha256sum`
// of the same folder in the same run: for the first look, which reads everything, and for the later
// ones, which read what changed. Prints the medians and their ratios.
//
//   node benches/context.mjs [FILES] [MEGABYTES] [ROUNDS]      50000 500 3 where nothing is said, with target/debug/slipway
//   SLIPWAY_BINARY=target/release/slipway node benches/context.mjs
//
// Needs tar, sha256sum and that much space in the temporary folder.
import { spawn, spawnSync } from 'node:child_process'
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { randomBytes } from 'node:crypto'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'

const binary = resolve(process.env.SLIPWAY_BINARY ?? join(import.meta.dirname, '../target/debug/slipway'))
const [files, megabytes, rounds] = [50_000, 500, 3].map((usual, at) => Number(process.argv[2 + at] ?? usual))
const folder = mkdtempSync(join(tmpdir(), 'slipway-bench-'))
const sources = join(folder, 'project/app')
const median = (times) => times.sort((a, b) => a - b)[Math.floor(times.length / 2)]

function fill() {
  const size = Math.floor((megabytes * 1_000_000) / files)
  const content = randomBytes(size)
  for (let at = 0; at < files; at++) {
    const into = join(sources, `d${at % 200}`)
    if (at < 200) mkdirSync(into, { recursive: true })
    content.writeUInt32LE(at, 0)
    writeFileSync(join(into, `${at}.bin`), content)
  }
  writeFileSync(join(sources, 'Dockerfile'), 'FROM scratch\nCOPY . .\n')
  writeFileSync(
    join(folder, 'project/slipway.toml'),
    '[project]\nname = "bench"\n[[component]]\nname = "app"\nport = 8000\ndockerfile = "app/Dockerfile"\n',
  )
}

/** A Slipway with nothing remembered: its first look, and as many later ones, each after a change. */
async function looks(round, later) {
  const state = join(folder, `state-${round}`)
  const server = spawn(
    binary,
    ['serve', '--no-open', '--listen', '127.0.0.1:0', '--log-format', 'json', '--state-dir', state, '--project', join(folder, 'project'), '--cluster', 'practice'],
    { env: { ...process.env, KUBECONFIG: join(folder, 'none'), SLIPWAY_LOG: 'server::images=debug' }, stdio: ['ignore', 'ignore', 'pipe'] },
  )
  const took = []
  try {
    await new Promise((done, failed) => {
      createInterface({ input: server.stderr }).on('line', (line) => {
        if (!line.includes('looked at the sources')) return
        const { took_ms, files_read } = JSON.parse(line).fields ?? JSON.parse(line)
        // A look that reads nothing came before the change.
        if (files_read === 0) return
        took.push(took_ms)
        if (took.length > later) done()
        else appendFileSync(join(sources, 'd0/0.bin'), 'x')
      })
      server.once('exit', (code) => failed(new Error(`slipway ended with ${code}`)))
    })
  } finally {
    server.kill()
    if (server.exitCode === null) await new Promise((done) => server.once('exit', done))
  }
  return { first: took[0], later: took.slice(1) }
}

function tar() {
  const start = performance.now()
  const { status } = spawnSync('sh', ['-c', 'tar c . | sha256sum'], { cwd: sources })
  if (status !== 0) throw new Error('tar failed')
  return performance.now() - start
}

try {
  fill()
  // Both read from memory.
  tar()
  const [theirs, first, later] = [[], [], []]
  for (let round = 0; round < rounds; round++) {
    theirs.push(tar())
    const looked = await looks(round, 2)
    first.push(looked.first)
    later.push(...looked.later)
  }
  const [a, b, c] = [median(theirs), median(first), median(later)]
  const ratio = (ours) => (ours / a).toFixed(2)
  console.log(`${binary.includes('/release/') ? 'release' : 'dev'} build, ${files} files, ${megabytes} MB, ${rounds} rounds, medians`)
  console.log(`tar c | sha256sum     ${a.toFixed(0)} ms`)
  console.log(`slipway, first look   ${b.toFixed(0)} ms, ratio ${ratio(b)}`)
  console.log(`slipway, one change   ${c.toFixed(0)} ms, ratio ${ratio(c)}`)
} finally {
  rmSync(folder, { recursive: true, force: true })
}
