import { randomBytes } from 'node:crypto'
import type { Page } from '@playwright/test'
import { DeployPage } from './pages/deploy-page.ts'
import { ImagesPage } from './pages/images-page.ts'
import { LivePage } from './pages/live-page.ts'
import { SecretsPage } from './pages/secrets-page.ts'
import { TodoApp } from './pages/todo-app.ts'
import { Panel } from './support/panel.ts'
import { startPostgres } from './support/postgres.ts'
import { allArguments } from './support/processes.ts'
import { exampleProject, type Slipway } from './support/slipway.ts'
import { filesBelow, Search } from './support/traces.ts'
import { expect, expectAccessible, test } from './support/test.ts'

/**
 * Where the cluster keeps its Secrets, which is where the values belong: the practice cluster's own
 * object store, its counterpart of etcd (one SQLite file, its write-ahead log and their index), mode
 * 0600 in a folder of mode 0700. The pods of this project get theirs by environment variable, so no
 * pod has a private secret file that would have to be left out as well.
 */
const CLUSTER_STORE = /^practice\/objects\.sqlite(-wal|-shm)?$/

const marker = () => randomBytes(18).toString('base64url')
const SECRETS = {
  DATABASE_URL: `sqlite:///data/${marker()}.db?mode=rwc`,
  OPENAI_API_KEY: `sk-${marker()}"<&>%20+/=`,
  AUTH_SECRET: `${marker()}\\ü'$(id)${marker()}`,
}

test('an entered value is nowhere but in the cluster: not on disk, not in the output, not on the page', async ({
  open,
  scratch,
  start,
}) => {
  const search = new Search(SECRETS)
  const slipway = await start({ stateDir: `${scratch}/state` })
  const panel = new Panel(slipway.url.origin, slipway.token)
  const raw = await panel.stream()
  const streamed: Buffer[] = []
  raw.on('data', (chunk: Buffer) => streamed.push(chunk))
  const page = await open('about:blank')
  const received = await captureBytes(page)
  await page.goto(slipway.link('/secrets'))

  await test.step('a value of the wrong shape is refused without being repeated', async () => {
    const refused = await panel.post('secrets/set', { key: 'DATABASE_URL', value: `mysql://${SECRETS.AUTH_SECRET}` })
    expect(refused.status).not.toBe(200)
    expect(search.in('the refusal', refused.body)).toEqual([])
  })

  await test.step('values go in, and the app gets and uses them', async () => {
    const secrets = new SecretsPage(page)
    await secrets.enter('Neon connection string', SECRETS.DATABASE_URL)
    await secrets.enter('OpenAI API key', SECRETS.OPENAI_API_KEY)
    await secrets.enter('Signing secret for visitors', SECRETS.AUTH_SECRET)
    for (const key of Object.keys(SECRETS)) await secrets.expectSet(key)
    await expect(secrets.masked('OpenAI API key')).toHaveCount(0)
    await secrets.goOn('Images')
    const images = new ImagesPage(page)
    await images.build()
    await images.expectProof('2 of 2 images', 110_000)
    await images.goOn('Deploy')
    const deploy = new DeployPage(page)
    await deploy.deploy()
    await deploy.expectEnding('Succeeded', 60_000)
    await deploy.walk.goTo('Live')
    const live = new LivePage(page)
    await live.expectReady('frontend')
    const app = new TodoApp(await live.open('frontend'))
    await app.say('add milk')
    await expect(app.todo('milk')).toBeVisible()
    await page.getByRole('button', { name: /^Logs of backend in / }).click()
    await expect(live.log()).toContainText(/\S/)
  })

  await test.step('a changed value leaves no trace either', async () => {
    const secrets = new SecretsPage(page)
    await secrets.walk.goTo('Secrets')
    await secrets.rotate('AUTH_SECRET')
    await secrets.enter('Signing secret for visitors', SECRETS.AUTH_SECRET)
    await secrets.expectSet('AUTH_SECRET')
  })

  await expectNoTrace({ page, slipway, search, streamed, received })
  expect(received.paths(), 'the capture saw the page, its code and its calls').toEqual(
    expect.arrayContaining(['/secrets', '/events', '/api/secrets/set', '/api/deploys/deploy']),
  )
  // The other way round: the search does find values where they are.
  const inStore = search.inFolder(slipway.stateDir, (path) => !CLUSTER_STORE.test(path)).join('\n')
  for (const key of Object.keys(SECRETS)) expect(inStore).toContain(`${key} (base64 at 0)`)
})

test('a value is tried out on a real Postgres before it is stored, and a rotation reaches exactly the pods that have the old one', async ({
  open,
  openai,
  scratch,
  start,
}) => {
  const postgres = await startPostgres(scratch)
  try {
    const entered = {
      GOOD: postgres.url,
      WRONG: postgres.url.replace(/:[^:@]+@/, `:${marker()}@`),
      FROM_FILE: `sk-${marker()}`,
      SIGNING: `${marker()}${marker()}`,
      UNRELATED: marker(),
    }
    const search = new Search({ ...entered, PASSWORD: new URL(postgres.url).password })
    const slipway = await start({ project: exampleProject(scratch, openai.url), stateDir: `${scratch}/state` })
    const panel = new Panel(slipway.url.origin, slipway.token)
    const raw = await panel.stream()
    const streamed: Buffer[] = []
    raw.on('data', (chunk: Buffer) => streamed.push(chunk))
    await panel.untilDone('setup')
    const page = await open('about:blank')
    const received = await captureBytes(page)
    await page.goto(slipway.link('/secrets'))
    const secrets = new SecretsPage(page)

    await test.step('a wrong password is refused by the server itself, and nothing is stored', async () => {
      await secrets.testAndSave('Neon connection string', entered.WRONG)
      await expect(secrets.layers('DATABASE_URL')).toContainText('The port accepts connections')
      await expect(secrets.secret('DATABASE_URL')).toContainText('LIVE_TEST_PASSWORD')
      await expect(secrets.secret('DATABASE_URL').getByText('Not set', { exact: true })).toBeVisible()
      await expectAccessible(page)
    })

    await test.step('the right one passes down to select 1 and is stored', async () => {
      await secrets.testAndSave('Neon connection string', entered.GOOD)
      await secrets.expectSet('DATABASE_URL')
      await secrets.button('Test the stored value of DATABASE_URL').click()
      await expect(secrets.layers('DATABASE_URL')).toContainText('The database answers')
    })

    await test.step('a .env file is shown as a mapping first, and its values never', async () => {
      const text = `# local\nOPENAI_API_KEY=${entered.FROM_FILE}\nexport AUTH_SECRET="${entered.SIGNING}"\nUNRELATED=${entered.UNRELATED}\n`
      await secrets.envFile().setInputFiles({ name: '.env', mimeType: 'text/plain', buffer: Buffer.from(text) })
      await expect(secrets.envMapping().getByRole('listitem')).toHaveCount(3)
      await expect(secrets.envMapping().getByRole('listitem').filter({ hasText: 'line 4' })).toContainText('Left out')
      expect(search.in('the mapping', await page.content())).toEqual([])
      await expectAccessible(page)
      await secrets.button('Save 2 values').click()
      await secrets.expectSet('OPENAI_API_KEY')
      await secrets.expectSet('AUTH_SECRET')
    })

    await test.step('a rotated value makes its pods stale, and one press restarts exactly those', async () => {
      await panel.build()
      await panel.untilSucceeded(await panel.startDeploy())
      await panel.untilDone('deploy', 'live')
      const names = async () => Object.values((await panel.state()).pods).map((pod) => pod.name)
      const frontends = (await names()).filter((name) => name.startsWith('frontend'))
      await secrets.rotate('AUTH_SECRET')
      await secrets.generate('Signing secret for visitors')
      await expect(secrets.stalePods()).toContainText(/backend-\S+/)
      await expect(secrets.stalePods()).not.toContainText('frontend')
      await expectAccessible(page)
      await secrets.button('Restart exactly these').click()
      await expect(secrets.stalePods()).toBeHidden({ timeout: 60_000 })
      expect(await names()).toEqual(expect.arrayContaining(frontends))
      await secrets.button('Ask the pods').click()
      await expect(page.getByRole('list', { name: 'Answers of the pods' })).toContainText('Ready')
    })

    await test.step('a value is tried out on a pod of the app in the cluster, and the pod says why it cannot work with it', async () => {
      await secrets.rotate('DATABASE_URL')
      await secrets.tryInCluster('Neon connection string', entered.WRONG)
      await expect(secrets.trial()).toContainText('TRIAL_FAILED', { timeout: 90_000 })
      await expect(secrets.trial()).toContainText('Remove what the trial made')
      await expectAccessible(page)
      await secrets.tryInCluster('Neon connection string', entered.GOOD)
      await expect(secrets.trial()).toContainText('it is not stored yet', { timeout: 90_000 })
      const pods = Object.values((await panel.state()).pods)
      expect(pods.filter((pod) => pod.name.includes('trial') && !pod.terminating)).toEqual([])
      await secrets.button('Keep the present value').click()
      await expect(secrets.masked('Neon connection string')).toBeHidden()
    })

    await test.step('a lost database makes the backend not ready and restarts nothing, and it recovers by itself', async () => {
      const backend = async () =>
        Object.values((await panel.state()).pods)
          .filter((pod) => pod.component === 'backend' && !pod.terminating)
          .map((pod) => ({ name: pod.name, ready: pod.ready, restarts: pod.containers[0]!.restarts }))
      const [before] = await backend()
      await postgres.stop()
      await expect.poll(backend, { timeout: 60_000 }).toEqual([{ ...before, ready: false }])
      await postgres.start()
      await expect.poll(backend, { timeout: 60_000 }).toEqual([{ ...before, ready: true }])
    })

    await expectNoTrace({ page, slipway, search, streamed, received })
    expect(received.paths()).toEqual(
      expect.arrayContaining(['/api/secrets/test', '/api/secrets/set-all', '/api/secrets/restart-stale', '/api/secrets/ask-pods', '/api/secrets/try-in-cluster']),
    )
  } finally {
    await postgres.stop()
  }
})

interface Traces {
  page: Page
  slipway: Slipway
  search: Search
  streamed: Buffer[]
  received: Awaited<ReturnType<typeof captureBytes>>
}

/** Looks for the values wherever Slipway could have left them; ends page and server. */
async function expectNoTrace({ page, slipway, search, streamed, received }: Traces): Promise<void> {
  const kept = await page.evaluate(() => ({
    html: document.documentElement.outerHTML,
    fields: [...document.querySelectorAll('input, textarea')].map((input) => (input as HTMLInputElement).value),
    session: { ...sessionStorage },
    local: { ...localStorage },
    cookies: document.cookie,
    address: location.href,
    history: JSON.stringify(history.state),
  }))
  expect(search.in('the page', JSON.stringify(kept)).concat(search.in('the markup', kept.html))).toEqual([])
  expect(allArguments().flatMap(({ pid, text }) => search.in(`the arguments of process ${pid}`, text))).toEqual([])

  // Ended first: what is written on the way out counts as well.
  await page.context().close()
  await slipway.kill()
  const stream = Buffer.concat(streamed)
  expect(stream.toString(), 'the stream told of the secrets').toContain('"OPENAI_API_KEY"')
  expect(search.in('the raw stream', stream)).toEqual([])
  expect(received.findIn(search)).toEqual([])
  expect(search.in("Slipway's output", slipway.output())).toEqual([])

  const files = filesBelow(slipway.stateDir)
  expect(files.length, 'files looked through').toBeGreaterThan(5)
  expect(search.inFolder(slipway.stateDir, (path) => CLUSTER_STORE.test(path))).toEqual([])
}

/** Every byte the browser gets for this page, the live stream included. */
async function captureBytes(page: Page) {
  const cdp = await page.context().newCDPSession(page)
  await cdp.send('Network.enable', { maxTotalBufferSize: 200_000_000, maxResourceBufferSize: 100_000_000 })
  const bodies = new Map<string, { path: string; head: string; chunks: Buffer[] }>()
  cdp.on('Network.responseReceived', ({ requestId, response }) => {
    const path = response.url.startsWith('http') ? new URL(response.url).pathname : response.url
    const body = { path, head: JSON.stringify(response.headers), chunks: [] as Buffer[] }
    bodies.set(requestId, body)
    // From now on every chunk arrives with its bytes; what came before is in the answer.
    cdp
      .send('Network.streamResourceContent', { requestId })
      .then(({ bufferedData }) => body.chunks.unshift(Buffer.from(bufferedData, 'base64')))
      .catch(() => completeBody(requestId))
  })
  cdp.on('Network.dataReceived', ({ requestId, data }) => {
    if (data) bodies.get(requestId)?.chunks.push(Buffer.from(data, 'base64'))
  })
  // One that was over before it could be streamed can still be had as a whole.
  const completeBody = async (requestId: string) => {
    const { body, base64Encoded } = await cdp.send('Network.getResponseBody', { requestId })
    bodies.get(requestId)?.chunks.push(Buffer.from(body, base64Encoded ? 'base64' : 'utf8'))
  }
  const whole = () => [...bodies.values()].map(({ path, head, chunks }) => ({ path, bytes: Buffer.concat([Buffer.from(head), ...chunks]) }))
  return {
    paths: () => whole().map(({ path }) => path),
    findIn: (search: Search) => whole().flatMap(({ path, bytes }) => search.in(`the answer for ${path}`, bytes)),
  }
}
