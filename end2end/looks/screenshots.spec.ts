import { mkdirSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { Browser, Page } from '@playwright/test'
import { AssistPage } from '../tests/pages/assist-page.ts'
import { Palette } from '../tests/pages/palette.ts'
import { SecretsPage } from '../tests/pages/secrets-page.ts'
import { AdoptPage } from '../tests/pages/adopt-page.ts'
import { WalkBar } from '../tests/pages/walk-bar.ts'
import { TodoApp } from '../tests/pages/todo-app.ts'
import { LivePage } from '../tests/pages/live-page.ts'
import { scriptedModel } from '../tests/support/model.ts'
import { Panel } from '../tests/support/panel.ts'
import { changeFile, exampleProject } from '../tests/support/slipway.ts'
import { expect, test } from '../tests/support/test.ts'
import { unfamiliarFolder } from '../tests/support/unfamiliar.ts'

const FOLDER = resolve(import.meta.dirname, '../screenshots')
const README_PICTURE = resolve(import.meta.dirname, '../../docs/images/live.png')
const WIDTHS = [
  { width: 390, height: 844 },
  { width: 1440, height: 900 },
  { width: 1920, height: 1080 },
]
const PAGES = ['setup', 'secrets', 'images', 'deploy', 'assist', 'live', 'demo']

/** Takes one page at every width, in the light and in the dark, as `SCENE/page-width-scheme.png`. */
async function take(browser: Browser, scene: string, link: string, name: string, ready: (page: Page) => Promise<void>) {
  mkdirSync(join(FOLDER, scene), { recursive: true })
  for (const colorScheme of ['light', 'dark'] as const) {
    for (const viewport of WIDTHS) {
      const context = await browser.newContext({ viewport, colorScheme, reducedMotion: 'reduce' })
      const page = await context.newPage()
      await page.goto(link)
      await ready(page)
      await page.evaluate(() => document.fonts.ready)
      const tooWide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)
      expect.soft(tooWide, `${scene}/${name} scrolls sideways at ${viewport.width}`).toBe(0)
      const path = join(FOLDER, scene, `${name}-${viewport.width}-${colorScheme}.png`)
      await page.screenshot({ path, fullPage: true })
      await context.close()
    }
  }
}

const steps = (word: string) => async (page: Page) => {
  await expect(new WalkBar(page).steps()).toContainText(word)
  await expect(page.getByRole('heading', { level: 1 })).toBeVisible()
}
const demo = async (page: Page) => {
  await expect(page.getByRole('link', { name: 'Leave demo' })).toBeVisible()
}

test('at the start', async ({ browser, start }) => {
  rmSync(join(FOLDER, 'start'), { recursive: true, force: true })
  const slipway = await start()
  await new Panel(slipway.url.origin, slipway.token).untilDone('setup')
  for (const name of PAGES.filter((name) => name !== 'demo')) {
    await take(browser, 'start', slipway.link(`/${name}`), name, steps('To do'))
  }
  await take(browser, 'start', slipway.link('/demo'), 'demo', demo)
  const door = async (page: Page) => await expect(page.getByRole('button', { name: 'Open' })).toBeVisible()
  await take(browser, 'start', slipway.url.origin, 'no-token', door)
  await take(browser, 'start', slipway.link('/nowhere'), 'not-found', steps('To do'))
})

test('a folder to adopt', async ({ browser, scratch, start }) => {
  rmSync(join(FOLDER, 'adopt'), { recursive: true, force: true })
  const slipway = await start({ project: unfamiliarFolder(scratch) })
  const ready = async (page: Page) => await new AdoptPage(page).expectReadyToWrite(8)
  await take(browser, 'adopt', slipway.link('/adopt'), 'adopt', ready)
})

test('a replay', async ({ browser, start }) => {
  rmSync(join(FOLDER, 'replay'), { recursive: true, force: true })
  const slipway = await start()
  const panel = new Panel(slipway.url.origin, slipway.token)
  await panel.walk()
  await panel.until('the walk is kept', ({ recording }) => recording !== null)
  for (const scene of ['walk', 'rollout', 'health']) {
    await take(browser, 'replay', slipway.link(`/demo?replay&scene=${scene}`), scene, async (page) => {
      await expect(page.getByRole('note').filter({ hasText: 'Not what is now' })).toBeVisible()
    })
  }
})

test('healthy', async ({ browser, openai, open, scratch, start }) => {
  rmSync(join(FOLDER, 'healthy'), { recursive: true, force: true })
  // As the project stands in the README, port and all.
  const slipway = await start({ project: exampleProject(scratch, openai.url, 3000) })
  await new Panel(slipway.url.origin, slipway.token).walk({ OPENAI_API_KEY: 'sk-stand-in-0123456789' })
  const first = await open(slipway.link('/live'))
  const app = new TodoApp(await new LivePage(first).open('frontend'))
  for (const wish of ['add buy oat milk', 'add call Grandma on Sunday', 'complete buy oat milk']) await app.say(wish)
  await first.close()
  for (const name of PAGES) {
    await take(browser, 'healthy', slipway.link(`/${name}`), name, name === 'demo' ? demo : steps('Done'))
  }
  await take(browser, 'healthy', slipway.link('/secrets'), 'secrets-rotate', async (page) => {
    const secrets = new SecretsPage(page)
    await secrets.rotate('DATABASE_URL')
    await secrets.tryInCluster('Neon connection string', 'sqlite:///data/other.db?mode=rwc')
    await expect(secrets.trial()).toContainText('it is not stored yet', { timeout: 90_000 })
  })
  await take(browser, 'healthy', slipway.link('/secrets'), 'secrets-remove', async (page) => {
    await page.getByRole('button', { name: 'Remove AUTH_SECRET' }).click()
    await expect(page.getByRole('dialog')).toBeVisible()
  })
  await take(browser, 'healthy', slipway.link('/live'), 'live-logs', async (page) => {
    const live = new LivePage(page)
    await live.tab('Logs').click()
    await live.logsOf().selectOption('All components')
    await expect(live.log()).toContainText(/\S/)
  })
  await take(browser, 'healthy', slipway.link('/live'), 'live-timeline', async (page) => {
    const live = new LivePage(page)
    await live.tab('Timeline').click()
    await live.button('10 min').click()
    await live.moment().press('End')
  })
  await take(browser, 'healthy', slipway.link('/live?tab=map'), 'live-map', async (page) => {
    await expect(new LivePage(page).node('Deployment', 'backend')).toBeVisible()
  })
  await take(browser, 'healthy', slipway.link('/live?yaml=Deployment/backend'), 'live-yaml', async (page) => {
    await expect(new LivePage(page).yaml('Deployment backend').getByRole('region')).toContainText('kind: Deployment')
  })
  await take(browser, 'healthy', slipway.link('/live'), 'live-forward', async (page) => {
    const live = new LivePage(page)
    await live.expectReady('backend')
    const forwardButton = live.button('Forward port 8000 of backend')
    if (await forwardButton.isVisible()) await forwardButton.click()
    await expect(live.forward('backend').getByRole('link')).toBeVisible()
  })
  await take(browser, 'healthy', slipway.link('/live'), 'live-delete', async (page) => {
    const live = new LivePage(page)
    await live.pods('backend').getByRole('button', { name: /^Delete pod/ }).click()
    await expect(page.getByRole('dialog')).toBeVisible()
  })
  for (const scene of ['rollout', 'events', 'walk']) {
    await take(browser, 'healthy', slipway.link(`/demo?scene=${scene}`), `demo-${scene}`, async (page) => {
      await expect(page.getByRole('heading', { level: 1 })).toBeVisible()
    })
  }
  await take(browser, 'healthy', slipway.link('/live'), 'palette', async (page) => {
    await new LivePage(page).expectReady('backend')
    await new Palette(page).open()
    await expect(new Palette(page).input()).toBeFocused()
  })
  await take(browser, 'healthy', slipway.link('/demo'), 'break-and-heal', async (page) => {
    await page.getByRole('button', { name: 'Break and heal' }).click()
    await expect(page.getByRole('dialog')).toBeVisible()
  })
  const answer = [
    { calls: [['findings', {}], ['logs', { of: 'backend', lines: 40 }]] as [string, object][] },
    { calls: [['propose_change', { command: 'kubectl scale deployment/backend --replicas=2', why: 'One replica is a single point of failure.' }]] as [string, object][] },
    { says: ['## Nothing is broken\n\nBoth Deployments are ready. What is **fragile**: `backend` runs once, so every rollout has a moment with one pod.\n\n1. Look at it:\n\n```sh\nkubectl get deployment backend --namespace=todo\n```\n\n2. Approve the card above, which makes it two.\n\n| part | replicas |\n|---|---|\n| backend | 1 |\n| frontend | 1 |\n'] },
  ]
  const model = await scriptedModel(Array.from({ length: 20 }, () => answer).flat())
  await take(browser, 'healthy', slipway.link('/assist'), 'assist-asked', async (page) => {
    const desk = new AssistPage(page).desk()
    await desk.getByText('Plain assistant', { exact: true }).click()
    const settings = desk.getByText('Settings', { exact: true })
    const address = desk.getByRole('textbox', { name: 'Address of the API' })
    await expect(settings).toBeVisible()
    if (!(await address.isVisible())) await settings.click()
    await address.fill(model.url)
    await desk.getByRole('button', { name: 'Save the settings' }).click()
    await desk.getByRole('combobox', { name: 'Model' }).selectOption('scripted-1')
    await desk.getByRole('button', { name: 'Save the settings' }).click()
    await expect(desk.getByText('Model scripted-1')).toBeVisible()
    await new AssistPage(page).question().fill('What is fragile about this project?')
    await desk.getByRole('button', { name: 'Ask Plain assistant' }).click()
    const newest = new AssistPage(page).answer('Plain assistant').first()
    await expect(newest.getByText('Answered', { exact: true })).toBeVisible({ timeout: 30_000 })
    await newest.scrollIntoViewIfNeeded()
  })
  model.close()
  await take(browser, 'healthy', slipway.viewerLink('/live'), 'live-as-viewer', steps('Done'))
})

test('the picture of the README', async ({ browser, openai, scratch, start }) => {
  const slipway = await start({ project: exampleProject(scratch, openai.url, 3000) })
  await new Panel(slipway.url.origin, slipway.token).walk({ OPENAI_API_KEY: 'sk-stand-in-0123456789' })
  const context = await browser.newContext({ viewport: { width: 1440, height: 1240 }, colorScheme: 'light', deviceScaleFactor: 1 })
  const page = await context.newPage()
  await page.goto(slipway.link('/live'))
  await new LivePage(page).expectProbesPassing('frontend')
  await page.evaluate(() => document.fonts.ready)
  mkdirSync(resolve(README_PICTURE, '..'), { recursive: true })
  await page.screenshot({ path: README_PICTURE })
  await context.close()
})

test('failing', async ({ browser, scratch, start }) => {
  rmSync(join(FOLDER, 'failing'), { recursive: true, force: true })
  const slipway = await start()
  const panel = new Panel(slipway.url.origin, slipway.token)
  await panel.walk()
  // The backend's readiness asks for a path it does not have, so its rollout stands still.
  changeFile(`${scratch}/todo-chatbot/k8s/20-backend.yaml`, 'path: /ready', 'path: /not-there')
  await panel.startDeploy()
  await panel.until('the diagnosis finds it', (state) => state.findings.some(({ severity }) => severity === 'failed'), 120_000)
  for (const name of PAGES) {
    await take(browser, 'failing', slipway.link(`/${name}`), name, name === 'demo' ? demo : steps('Failed'))
  }
})
