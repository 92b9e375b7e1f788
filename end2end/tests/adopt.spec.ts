import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { AdoptPage } from './pages/adopt-page.ts'
import { SetupPage } from './pages/setup-page.ts'
import { Panel } from './support/panel.ts'
import { run } from './support/slipway.ts'
import { expect, expectAccessible, test } from './support/test.ts'
import { unfamiliarFolder } from './support/unfamiliar.ts'

test('an unfamiliar folder becomes a project: proposed, corrected, written, and the walk begins', async ({
  open,
  scratch,
  start,
}) => {
  const project = unfamiliarFolder(scratch)
  const slipway = await start({ project })
  const page = await open(slipway.link())
  const adopt = new AdoptPage(page)

  await test.step('the proposal names what is there, with reasons, and nothing is written', async () => {
    await expect(page).toHaveURL(/\/adopt$/)
    await expect(adopt.heading()).toBeVisible()
    await expect(adopt.field('backend', 'Port')).toHaveValue('8000')
    await expect(adopt.field('backend', 'Readiness path')).toHaveValue('/ready')
    await expect(adopt.component('backend')).toContainText('backend/app/main.py:11 names this path')
    await expect(adopt.field('frontend', 'Service type')).toHaveValue('NodePort')
    await expect(adopt.secret('JWT_SECRET')).toBeVisible()
    await expect(adopt.notes()).toContainText('postgres:16')
    // Two Dockerfiles, their ignore files, three manifests and slipway.toml.
    await adopt.expectReadyToWrite(8)
    await expectAccessible(page)
    expect(existsSync(join(project, 'slipway.toml'))).toBe(false)
    const state = JSON.stringify(await new Panel(slipway.url.origin, slipway.token).state())
    expect(state).not.toContain('hunter2')
    expect(await page.content()).not.toContain('hunter2')
  })

  await test.step('a wrong edit is told with its place, and a right one is taken', async () => {
    await adopt.field('backend', 'Port').fill('many')
    await expect(adopt.problem('`port` in slipway.toml has the wrong type')).toBeVisible()
    await adopt.field('backend', 'Port').fill('8123')
    await expect(adopt.text()).toContainText('port = 8123')
    await expect(adopt.component('backend')).toContainText('Chosen by hand; proposed was 8000')
    await expect(adopt.problem(/slipway\.toml/)).toHaveCount(0)
  })

  await test.step('each file is read before, and chosen by itself', async () => {
    await adopt.open('k8s/backend.yaml')
    // The chart that is offered too has it as well, further down.
    await expect(page.getByText(/containerPort: 8123/).first()).toBeVisible()
    await adopt.offer('A Dockerfile for frontend').uncheck()
    await expect(adopt.text()).not.toContainText('frontend/Dockerfile')
    await adopt.offer('A Dockerfile for frontend').check()
    await adopt.offer('A Helm chart').check()
    await adopt.expectReadyToWrite(12)
  })

  await test.step('a yes writes exactly that, and the walk begins without a restart', async () => {
    await adopt.writeButton(12).click()
    const setup = new SetupPage(page)
    await expect(page).toHaveURL(/\/(setup|secrets)$/)
    await setup.walk.goTo('Setup')
    await setup.expectReady('Project')
    await expect(page.getByRole('region', { name: 'shop', exact: true })).toContainText('8123')
    const text = readFileSync(join(project, 'slipway.toml'), 'utf8')
    expect(text).toContain('# Chosen by hand\nport = 8123')
    expect(text).not.toContain('hunter2')
    expect(existsSync(join(project, 'chart/Chart.yaml'))).toBe(true)
    await setup.walk.goTo('Secrets')
    await expect(page.getByText('DATABASE_URL', { exact: true })).toBeVisible()
    await expectAccessible(page)
  })
})

test('a viewer sees what was found and can change nothing', async ({ open, scratch, start }) => {
  const slipway = await start({ project: unfamiliarFolder(scratch) })
  const page = await open(slipway.viewerLink())
  await expect(new AdoptPage(page).heading()).toBeVisible()
  await expect(page.getByText('Slipway proposes these components: backend, frontend.')).toBeVisible()
  await expect(page.getByRole('textbox')).toHaveCount(0)
  await expect(page.getByRole('button', { name: /Write|Look/ })).toHaveCount(0)
  await expectAccessible(page)
})

test('a slipway.toml that somebody writes meanwhile is taken, and is never overwritten', async ({ open, scratch, start }) => {
  const project = unfamiliarFolder(scratch)
  const slipway = await start({ project })
  const page = await open(slipway.link())
  await expect(new AdoptPage(page).heading()).toBeVisible()
  const own = '[project]\nname = "by-hand"\n[[component]]\nname = "backend"\nport = 8000\ndockerfile = "missing/Dockerfile"\n'
  writeFileSync(join(project, 'slipway.toml'), own)
  await expect(page.getByRole('article', { name: 'The project has no missing/Dockerfile' })).toBeVisible()
  expect(readFileSync(join(project, 'slipway.toml'), 'utf8')).toBe(own)
})

test('check shows the proposal without a browser and writes nothing', async ({ scratch }) => {
  const project = unfamiliarFolder(scratch)
  const { code, stdout } = await run(`${scratch}/state`, ['check', '--json', '--project', project])
  expect(code).toBe(3)
  const report = JSON.parse(stdout) as { passed: boolean; proposal: { toml: string; draft: { components: unknown[] } } }
  expect(report.passed).toBe(false)
  expect(report.proposal.draft.components).toHaveLength(2)
  expect(report.proposal.toml).toContain('name = "backend"')
  expect(stdout).not.toContain('hunter2')
  expect(existsSync(join(project, 'slipway.toml'))).toBe(false)
})
