import { randomBytes } from 'node:crypto'
import type { Page } from '@playwright/test'
import { DeployPage } from './pages/deploy-page.ts'
import { ImagesPage } from './pages/images-page.ts'
import { LivePage } from './pages/live-page.ts'
import { SecretsPage } from './pages/secrets-page.ts'
import { TodoApp } from './pages/todo-app.ts'
import { Panel } from './support/panel.ts'
import { allArguments } from './support/processes.ts'
import { filesBelow, Search } from './support/traces.ts'
import { expect, test } from './support/test.ts'

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
    await page.getByRole('button', { name: 'Change AUTH_SECRET' }).click()
    await secrets.enter('Signing secret for visitors', SECRETS.AUTH_SECRET)
    await secrets.expectSet('AUTH_SECRET')
  })

  const kept = await page.evaluate(() => ({
    html: document.documentElement.outerHTML,
    fields: [...document.querySelectorAll('input')].map((input) => input.value),
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
  expect(received.paths(), 'the capture saw the page, its code and its calls').toEqual(
    expect.arrayContaining(['/secrets', '/events', '/api/secrets/set', '/api/deploys/deploy']),
  )
  expect(received.findIn(search)).toEqual([])
  expect(search.in("Slipway's output", slipway.output())).toEqual([])

  const files = filesBelow(slipway.stateDir)
  expect(files.length, 'files looked through').toBeGreaterThan(5)
  expect(search.inFolder(slipway.stateDir, (path) => CLUSTER_STORE.test(path))).toEqual([])
  // The other way round: the search does find values where they are.
  const inStore = search.inFolder(slipway.stateDir, (path) => !CLUSTER_STORE.test(path)).join('\n')
  for (const key of Object.keys(SECRETS)) expect(inStore).toContain(`${key} (base64 at 0)`)
})

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
