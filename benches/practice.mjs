#!/usr/bin/env node
// How the practice cluster answers with many objects, against itself with few: pods nobody
// schedules, each request by certificate over one kept connection. Quadratic work shows as a ratio
// that grows.
//
//   node benches/practice.mjs [PODS]           5,000 unless told
import { each, folder, build, median, percentile, practice, stillPod, table, until } from './lib/slipway.mjs'

const many = Number(process.argv[2] ?? 5000)
const few = 100
const cluster = await practice(folder())
const pods = '/api/v1/namespaces/many/pods'
const timed = async (work) => {
  const start = performance.now()
  await work()
  return performance.now() - start
}

/** Medians in milliseconds with `count` pods there. */
const measure = async (count) => {
  const times = { get: [], patch: [], apply: [], list: [], watch: [] }
  const lists = count > 1000 ? 5 : 20
  for (let round = 0; round < lists; round++) times.list.push(await timed(() => cluster.ask('GET', pods)))
  // From the write's first byte to the line in the watch.
  const arrived = new Map()
  const { metadata } = (await cluster.ask('GET', `${pods}?limit=1`)).json()
  const stream = cluster.open('GET', `${pods}?watch=true&resourceVersion=${metadata.resourceVersion}`)
  stream.once('response', (response) => {
    let rest = ''
    response.on('data', (piece) => {
      rest += piece
      const lines = rest.split('\n')
      rest = lines.pop()
      for (const line of lines) arrived.set(JSON.parse(line).object.metadata.resourceVersion, performance.now())
    })
    response.on('error', () => {})
  })
  stream.on('error', () => {})
  stream.end()
  for (let round = 0; round < 60; round++) {
    const name = `pod-${(round * 37) % count}`
    times.get.push(await timed(() => cluster.ask('GET', `${pods}/${name}`)))
    const body = { metadata: { annotations: { round: `${count}-${round}` } } }
    const start = performance.now()
    let version
    times.patch.push(
      await timed(async () => {
        const answered = await cluster.ask('PATCH', `${pods}/${name}`, body, cluster.merge)
        version = answered.json().metadata.resourceVersion
      }),
    )
    times.watch.push((await until('the line in the watch', () => arrived.get(version), { every: 1 })) - start)
    times.apply.push(
      await timed(() =>
        cluster.ask('PATCH', `${pods}/${name}?fieldManager=bench`, stillPod(name, { round: `${round}` }), 'application/apply-patch+yaml'),
      ),
    )
  }
  stream.destroy()
  return Object.fromEntries(Object.entries(times).map(([what, list]) => [what, { p50: median(list), p99: percentile(list, 0.99) }]))
}

try {
  await cluster.ask('POST', '/api/v1/namespaces', { metadata: { name: 'many' } })
  const create = (from, to) =>
    timed(() => each(Array.from({ length: to - from }, (_, n) => from + n), 8, (n) => cluster.ask('POST', pods, stillPod(`pod-${n}`))))
  const first = await create(0, few)
  const small = await measure(few)
  let last = 0
  for (let count = few; count < many; count += 500) {
    last = (await create(count, Math.min(count + 500, many))) / Math.min(500, many - count)
  }
  const large = await measure(many)
  console.log(`${build}, practice cluster, ${few} and ${many} pods\n`)
  const row = (what, a, b) => [what, a.toFixed(1), b.toFixed(1), (b / a).toFixed(2)]
  table(
    ['milliseconds', `${few} pods`, `${many} pods`, 'ratio'],
    [
      row('create one, 8 at a time', first / few, last),
      ...['get', 'patch', 'apply', 'watch'].map((what) => row(`${what}, median`, small[what].p50, large[what].p50)),
      ...['get', 'patch', 'apply', 'watch'].map((what) => row(`${what}, p99`, small[what].p99, large[what].p99)),
      row('list, for each 100 pods', small.list.p50, (large.list.p50 * few) / many),
    ],
  )
  const gone = await timed(() => cluster.kubectl('delete', 'namespace', 'many', '--wait=true', '--timeout=170s'))
  console.log(`\ndelete the namespace with ${many} pods and wait: ${(gone / 1000).toFixed(1)} s`)
} finally {
  await cluster.stop()
}
