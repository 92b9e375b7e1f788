#!/usr/bin/env node
// How long the preview of a deploy takes, against `kubectl diff` of the same manifests on the same
// practice cluster in the same run: the example, and a large project of 200 objects with a
// ConfigMap of 900 kB, all of them changed. Prints medians and ratios.
//
//   node benches/preview.mjs [ROUNDS]          with target/debug/slipway
//   SLIPWAY_BINARY=target/release/slipway node benches/preview.mjs
//
// Images need not be built: a plan is made all the same.
import { join } from 'node:path'
import { api, build, example, folder, median, serve, small, table, until } from './lib/slipway.mjs'

const rounds = Number(process.argv[2] ?? 9)

/** 200 objects with `word` in each of them. */
const large = (project, word) => {
  const meta = (name) => ({ name, namespace: 'large', labels: { app: name, word } })
  const objects = [{ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'large' } }]
  for (let n = 0; n < 49; n++) {
    const name = `app-${n}`
    objects.push(
      {
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: meta(name),
        spec: {
          replicas: 0,
          selector: { matchLabels: { app: name } },
          template: {
            metadata: { labels: { app: name } },
            spec: {
              containers: [
                {
                  name: 'app',
                  image: 'large-app:dev',
                  ports: [{ containerPort: 8000 }],
                  env: [{ name: 'WORD', value: word }],
                  readinessProbe: { httpGet: { path: '/health', port: 8000 } },
                },
              ],
            },
          },
        },
      },
      { apiVersion: 'v1', kind: 'Service', metadata: meta(name), spec: { selector: { app: name }, ports: [{ port: 80, targetPort: 8000 }] } },
      { apiVersion: 'v1', kind: 'ConfigMap', metadata: meta(name), data: { word } },
      { apiVersion: 'v1', kind: 'ServiceAccount', metadata: meta(name) },
    )
  }
  for (let n = 0; n < 2; n++) objects.push({ apiVersion: 'v1', kind: 'ConfigMap', metadata: meta(`more-${n}`), data: { word } })
  // Every tenth line differs.
  const lines = Array.from({ length: 9000 }, (_, n) => `${n}`.padStart(6, '0').padEnd(99, n % 10 ? '.' : word))
  objects.push({ apiVersion: 'v1', kind: 'ConfigMap', metadata: meta('big'), data: { 'big.txt': lines.join('\n') } })
  small(project, 'large', 'app-0', { apiVersion: 'v1', kind: 'List', items: objects })
}

const measure = async (what, prepare, change, look) => {
  const home = folder()
  const [project, state] = [join(home, 'project'), join(home, 'state')]
  prepare(project)
  const server = await serve(state, project)
  try {
    const plan = async () => (await server.call('/api/deploys/plan')).json()
    let why
    await until('the cluster in use', () => plan().catch((error) => void (why = error)), { every: 200, seconds: 20 }).catch(() => Promise.reject(why))
    const { kubectl } = api(join(state, 'practice/kubeconfig'), state)
    const applied = kubectl('apply', '--server-side', '--field-manager=slipway', '-f', join(project, 'k8s'))
    if (applied.status !== 0) throw new Error(applied.stderr)
    change(project, kubectl)
    const [ours, theirs, opened] = [[], [], []]
    let objects = 0
    let bytes = 0
    for (let round = 0; round < rounds; round++) {
      let start = performance.now()
      const made = await plan()
      ours.push(performance.now() - start)
      objects = made.objects.length
      if (!made.objects.some((object) => object.change === 'update')) throw new Error('nothing would change')
      start = performance.now()
      const diff = await server.call('/api/deploys/object-diff', { plan_hash: made.hash, key: look, everything: false })
      opened.push(performance.now() - start)
      bytes = diff.bytes
      start = performance.now()
      const said = kubectl('diff', '--server-side', '--force-conflicts', '--field-manager=slipway', '-f', join(project, 'k8s'))
      theirs.push(performance.now() - start)
      // 1 says that something differs.
      if (said.status !== 1) throw new Error(said.stderr || 'kubectl sees no difference')
    }
    const [a, b] = [median(ours), median(theirs)]
    return [
      `${what}, ${objects} objects`,
      `${a.toFixed(0)} ms`,
      `${b.toFixed(0)} ms`,
      (a / b).toFixed(2),
      `${median(opened).toFixed(0)} ms, ${(bytes / 1000).toFixed(0)} kB`,
    ]
  } finally {
    await server.stop()
  }
}

const rows = [
  await measure(
    'the example',
    example,
    (_, kubectl) => kubectl('scale', 'deployment/backend', '--namespace=todo', '--replicas=0'),
    'apps/v1/Deployment/todo/backend',
  ),
  await measure(
    'a large project',
    (project) => large(project, 'one'),
    (project) => large(project, 'two'),
    'v1/ConfigMap/large/big',
  ),
]
console.log(`${build}, ${rounds} rounds, medians\n`)
table(['project', 'slipway', 'kubectl diff', 'ratio', 'opening the largest difference'], rows)
