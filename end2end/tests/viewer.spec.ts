import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { DeployPage } from './pages/deploy-page.ts'
import { LivePage } from './pages/live-page.ts'
import { WalkBar, type StepTitle } from './pages/walk-bar.ts'
import { Panel, send } from './support/panel.ts'
import { expect, expectAccessible, test } from './support/test.ts'

const TITLES: StepTitle[] = ['Setup', 'Secrets', 'Images', 'Deploy', 'Assist', 'Live']
/** What a person may do who may only look: nothing that reaches the server. */
const HARMLESS = /^(Theme: \w+|Command palette, Ctrl K|Copy .+|Follow|Pause|Show all .+|Unified|Side by side|Show everything|\d+ \w+|Show \d+ unchanged lines?)$/

/** Every server function there is, with arguments that would work for the operator. */
const FUNCTIONS: Record<string, unknown> = {
  'approvals/propose': { proposal: { argv: ['kubectl', 'delete', 'pod', 'a'], why: '', heals: null } },
  'approvals/approve': { id: 'a', hash: 'b' },
  'approvals/decline': { id: 'a' },
  'approvals/renew': { id: 'a' },
  'approvals/undo': { id: 'a' },
  'approvals/diff': { id: 'a', object: 0 },
  'assistants/pack': {},
  'assistants/desk': {},
  'assistants/configure': { setting: { assistant: 'endpoint', choices: {}, key: 'sk-from-a-viewer-0123' } },
  'assistants/preview': { question: { assistant: 'endpoint', text: 'why?', left_out: [] } },
  'assistants/ask': { question: { assistant: 'endpoint', text: 'why?', left_out: [] }, seen: null },
  'assistants/open-terminal': {
    question: { assistant: 'gordon', text: 'why?', left_out: [] },
    seen: 'a',
    size: { columns: 80, rows: 24 },
  },
  'assistants/stop': { turn: 1 },
  'assistants/forget': {},
  'assistants/save-prompt': { idea: { title: 'a', prompt: 'b' } },
  'assistants/remove-prompt': { title: 'a' },
  'assistants/apply-agent': { shown: 'a' },
  'assistants/remove-agent': {},
  'audit/search': { question: { text: '', before: null } },
  'adopt/look': {},
  'adopt/preview': {},
  'adopt/write': {},
  'clusters/use': { choice: 'practice', going: 'refuse' },
  'setup/recheck': {},
  'secrets/set': { key: 'OPENAI_API_KEY', value: 'sk-from-a-viewer-0123' },
  'secrets/generate': { key: 'AUTH_SECRET' },
  'secrets/delete': { key: 'OPENAI_API_KEY' },
  'secrets/set-all': { values: [['OPENAI_API_KEY', 'sk-from-a-viewer-0123']] },
  'secrets/test': { key: 'OPENAI_API_KEY', value: 'sk-from-a-viewer-0123' },
  'secrets/try-in-cluster': { key: 'OPENAI_API_KEY', value: 'sk-from-a-viewer-0123' },
  'secrets/declare': { key: 'OPENAI_API_KEY' },
  'secrets/stop-test': { key: 'OPENAI_API_KEY' },
  'secrets/ask-pods': {},
  'secrets/accept': { key: 'OPENAI_API_KEY' },
  'secrets/adopt': {},
  'secrets/restart-stale': {},
  'images/build': { components: [] },
  'deploys/plan': {},
  'deploys/deploy': { plan_hash: 'any', prune: false },
  'revisions/compare': { from: 1, to: 2 },
  'rollouts/steer': { component: 'backend', act: 'restart' },
  'rollouts/history': { component: 'backend' },
  'drills/start': { wish: { component: 'backend', faults: ['kill-pod'], hold_s: 0, confirm: null } },
  'drills/heal': { component: 'backend' },
  'handovers/plan': { to: 'raw' },
  'handovers/go': { to: 'raw', hash: 'x' },
  'handovers/dismiss': {},
  'runs/cancel': { run: 1 },
  'runs/log': { run: 1, from: 0 },
  'clusters/allow': { name: 'any' },
  'clusters/forget': {},
  'clusters/look': {},
  'deploys/object-diff': {},
  'deploys/stop-planning': {},
  'images/builder': {},
  'images/cancel': {},
  'minikube/act': {},
  'minikube/create': {},
  'releases/carry-out': {},
  'releases/check': {},
  'releases/compare': {},
  'releases/dependencies': {},
  'releases/plan': {},
  'releases/plan-save': {},
  'releases/revision': {},
  'releases/save': {},
  'releases/values': {},
  'runs/search': {},
  'setup/mute': {},
  'terminals/open': {
    place: { shell: { source: { pod: 'a', container: 'b' } } },
    size: { columns: 80, rows: 24 },
  },
  'terminals/type': { id: 1, text: 'id' },
  'terminals/resize': { id: 1, size: { columns: 80, rows: 24 } },
  'terminals/close': { id: 1 },
  'share/link': {},
  'share/open': {},
  'share/revoke': {},
  'live/timeline': { from: 0, to: 1 },
  'forwards/open': { service: 'backend', port: 8000 },
  'forwards/close': { service: 'backend', port: 8000 },
  'live/map': {},
  'live/object': { key: 'Deployment/backend', everything: false },
  'live/delete-pod': { uid: 'any' },
  'live/log-file': { wish: { component: 'backend', pod: null, container: null, previous: false, text: '', level: null, tail: 10 } },
}

test('a viewer sees what the operator sees, and nothing to press', async ({ deployed, open }) => {
  const viewer = await open(deployed.slipway.viewerLink('/setup'))
  const walk = new WalkBar(viewer)
  await expect(viewer.getByText('View only', { exact: true })).toBeVisible()
  for (const title of TITLES) {
    await test.step(title, async () => {
      await walk.goTo(title)
      await walk.expectStep(title, 'Done')
      for (const button of await viewer.getByRole('button').all()) await expect(button).toHaveAccessibleName(HARMLESS)
      await expect(viewer.getByRole('textbox')).toHaveCount(0)
      await expectAccessible(viewer)
    })
  }
  const live = new LivePage(viewer)
  await live.expectReady('backend')
  await live.expectProbesPassing('frontend')
  await expect(live.tab('Events')).toBeVisible()
  await expect(live.tab('Logs')).toHaveCount(0)
})

test('the operator has the controls that a viewer lacks', async ({ deployed, open }) => {
  const operator = await open(deployed.slipway.link('/deploy'))
  const deploy = new DeployPage(operator)
  await expect(deploy.deployButton()).toBeVisible()
  await expect(operator.getByText('View only', { exact: true })).toHaveCount(0)
  await deploy.walk.goTo('Live')
  await expect(new LivePage(operator).tab('Logs')).toBeVisible()
})

test('the list of server functions in these tests is the whole list', () => {
  const folder = resolve(import.meta.dirname, '../../app/src/api')
  const endpoints = readdirSync(folder).flatMap((name) =>
    [...readFileSync(join(folder, name), 'utf8').matchAll(/endpoint = "([^"]+)"/g)].map((match) => match[1]!),
  )
  expect(endpoints.sort()).toEqual(Object.keys(FUNCTIONS).sort())
})

test('no server function answers a viewer or someone without a token', async ({ deployed }) => {
  const { slipway, panel } = deployed
  const before = await panel.state()
  const viewer = new Panel(slipway.url.origin, slipway.viewerToken)
  const stranger = new Panel(slipway.url.origin, 'not-the-token')
  const { authorization: _, ...withoutToken } = panel.headers()
  for (const [path, body] of Object.entries(FUNCTIONS)) {
    expect((await viewer.post(path, body)).status, `${path} as a viewer`).toBe(403)
    expect((await stranger.post(path, body)).status, `${path} with a wrong token`).toBe(401)
    const anonymous = await send(`${slipway.url.origin}/api/${path}`, {
      method: 'POST',
      headers: withoutToken,
      body: JSON.stringify(body),
    })
    expect(anonymous.status, `${path} without a token`).toBe(401)
  }
  const after = await panel.state()
  expect(Object.keys(after.runs)).toEqual(Object.keys(before.runs))
  expect(after.secrets).toEqual(before.secrets)
})

test('a foreign Host or Origin, a missing header and a form are refused even with the token', async ({ deployed }) => {
  const { slipway, panel } = deployed
  const { host, origin, port } = slipway.url
  const url = `${origin}/api/setup/recheck`
  const post = (headers: Record<string, string>) =>
    send(url, { method: 'POST', headers: { ...panel.headers(), ...headers }, body: '{}' })

  for (const foreign of ['evil.example', `evil.example:${port}`, '127.0.0.1', `127.0.0.1.:${port}`, `0.0.0.0:${port}`]) {
    expect((await post({ host: foreign })).status, `Host ${foreign}`).toBe(421)
    expect((await send(`${origin}/`, { headers: { host: foreign } })).status, `page at ${foreign}`).toBe(421)
  }
  for (const foreign of ['http://evil.example', 'null', `https://${host}`, 'http://127.0.0.1:1']) {
    expect((await post({ origin: foreign })).status, `Origin ${foreign}`).toBe(403)
  }
  expect((await post({ 'sec-fetch-site': 'cross-site' })).status).toBe(403)
  expect((await post({ 'sec-fetch-site': 'same-site' })).status).toBe(403)
  expect((await post({ 'x-slipway': '' })).status).toBe(403)
  expect((await post({ 'content-type': 'application/x-www-form-urlencoded' })).status).toBe(415)
  expect((await post({ origin, 'sec-fetch-site': 'same-origin' })).status, 'our own page').toBe(200)
})

test('the page without a token is an empty shell', async ({ deployed }) => {
  const { slipway } = deployed
  for (const path of ['/', '/secrets', '/live', '/demo']) {
    const { status, body, headers } = await send(`${slipway.url.origin}${path}`)
    expect(status).toBe(200)
    for (const data of [slipway.token, slipway.viewerToken, 'todo-chatbot', 'DATABASE_URL', slipway.stateDir]) {
      expect(body, `${path} without a token`).not.toContain(data)
    }
    expect(headers['content-security-policy']).toMatch(/default-src 'none'.*frame-ancestors 'none'/)
  }
  expect((await send(`${slipway.url.origin}/events`)).status).toBe(401)
})
