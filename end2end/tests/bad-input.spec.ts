import { renameSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { DeployPage } from './pages/deploy-page.ts'
import { LivePage } from './pages/live-page.ts'
import { SecretsPage } from './pages/secrets-page.ts'
import { SetupPage } from './pages/setup-page.ts'
import { TokenPage } from './pages/token-page.ts'
import { WalkBar, type StepTitle } from './pages/walk-bar.ts'
import { Panel } from './support/panel.ts'
import { changeFile, exampleProject, run } from './support/slipway.ts'
import { expect, expectAccessible, test } from './support/test.ts'

const TITLES: StepTitle[] = ['Setup', 'Secrets', 'Images', 'Deploy', 'Assist', 'Live']

test.describe('before the start', () => {
  test('an unknown key in slipway.toml is told with its place and the key that was meant', async ({ scratch }) => {
    const project = exampleProject(scratch)
    changeFile(`${project}/slipway.toml`, 'namespace = "todo"', 'namespase = "todo"')
    const { code, stdout, stderr } = await run(`${scratch}/state`, ['up', '--cluster', 'practice', '--project', project])
    expect(code).toBe(1)
    expect(stdout).toBe('')
    expect(stderr).toContain('PROJECT_UNKNOWN_KEY')
    expect(stderr).toContain('namespase')
    expect(stderr).toMatch(/slipway\.toml:8:1/)
    expect(stderr).toMatch(/namespace/)
  })

  test('text that is not TOML is told with its place', async ({ scratch }) => {
    const project = exampleProject(scratch)
    writeFileSync(`${project}/slipway.toml`, '[project]\nname = "todo\n')
    const { code, stderr } = await run(`${scratch}/state`, ['up', '--cluster', 'practice', '--project', project])
    expect(code).toBe(1)
    expect(stderr).toContain('PROJECT_SYNTAX')
    expect(stderr).toMatch(/slipway\.toml:2:\d+/)
  })

  test('a missing manifest folder is told by name', async ({ scratch }) => {
    const project = exampleProject(scratch)
    rmSync(`${project}/k8s`, { recursive: true })
    const { code, stderr } = await run(`${scratch}/state`, ['up', '--cluster', 'practice', '--project', project])
    expect(code).toBe(1)
    expect(stderr).toContain('The project has no k8s')
  })

  test('a folder that is not there is told what one is', async ({ scratch }) => {
    const { code, stderr } = await run(`${scratch}/state`, ['serve', '--no-open', '--project', `${scratch}/nowhere`])
    expect(code).toBe(1)
    expect(stderr).toContain('PROJECT_NOT_FOUND')
  })

  test('a port in use is told, with the way to a free one', async ({ scratch }) => {
    const taken = createServer()
    const port = await new Promise<number>((bound) =>
      taken.listen(0, '127.0.0.1', () => bound((taken.address() as AddressInfo).port)),
    )
    const project = exampleProject(scratch)
    const args = ['serve', '--no-open', '--project', project, '--listen', `127.0.0.1:${port}`]
    const { code, stderr } = await run(`${scratch}/state`, args)
    taken.close()
    expect(code).toBe(1)
    expect(stderr).toContain('PORT_IN_USE')
    expect(stderr).toContain(`Slipway cannot listen on port ${port}`)
    expect(stderr).toContain('--listen 127.0.0.1:0')
  })

  test('an address of the network is a usage error', async ({ scratch }) => {
    const { code, stderr } = await run(scratch, ['serve', '--no-open', '--listen', '0.0.0.0:0'])
    expect(code).toBe(2)
    expect(stderr).toContain("not this machine's own address")
  })

  test('a second Slipway on the same state folder is told where the first one is', async ({ scratch, start }) => {
    const first = await start()
    const args = ['serve', '--no-open', '--project', `${scratch}/todo-chatbot`, '--listen', '127.0.0.1:0']
    const { code, stderr } = await run(first.stateDir, args)
    expect(code).toBe(1)
    expect(stderr).toContain('SECOND_SLIPWAY')
    expect(stderr).toContain(first.url.origin)
    expect(stderr, 'the token is not for everyone who reads this').not.toContain(first.token)
    const panel = new Panel(first.url.origin, first.token)
    await panel.untilDone('setup')
  })
})

test.describe('at the door', () => {
  test('without its link the page says how to get it, and a pasted link opens it', async ({ deployed, open }) => {
    const page = await open(`${deployed.slipway.url.origin}/live`)
    const door = new TokenPage(page)
    await expect(door.heading('This page needs its link')).toBeVisible()
    await expect(page.getByRole('navigation', { name: 'Steps' })).toHaveCount(0)
    await expectAccessible(page)
    await door.paste('what? this?')
    await expect(page.getByText('That is neither the link nor the token')).toBeVisible()
    await door.paste(deployed.slipway.link())
    await new LivePage(page).expectReady('backend')
  })

  test('with a wrong token the page says that the link is of an earlier start', async ({ deployed, open }) => {
    // The browser reports the refusal itself.
    const page = await open(`${deployed.slipway.url.origin}/#token=of-yesterday`, { expected: /status of 401/ })
    const door = new TokenPage(page)
    await expect(door.heading('This link is no longer valid')).toBeVisible()
    expect(page.url()).not.toContain('token')
    await expectAccessible(page)
    await door.paste(deployed.slipway.token)
    await new LivePage(page).expectReady('backend')
  })

  test('an address that leads nowhere says so', async ({ deployed, open }) => {
    const page = await open(deployed.slipway.link('/nowhere'), { expected: /status of 404/ })
    await expect(page.getByRole('heading', { name: 'There is no such page' })).toBeVisible()
    await expectAccessible(page)
    await page.getByRole('link', { name: 'Go to the current step' }).click()
    await expect(page.getByRole('heading', { name: 'Live', level: 1 })).toBeVisible()
  })

  test('a page whose code does not come says so, and is there once it comes', async ({ deployed, open }) => {
    const page = await open(deployed.slipway.link('/setup'), { expected: /Failed to (load resource|fetch)/ })
    const part = '**/split_deploy.wasm'
    await page.route(part, (route) => route.abort())
    await page.reload()
    const walk = new WalkBar(page)
    await walk.expectStep('Deploy', 'Done')
    await walk.step('Deploy').click()
    await expect(page.getByRole('heading', { name: 'This page could not be loaded' })).toBeVisible()
    await expectAccessible(page)
    await walk.goTo('Live')
    await walk.step('Deploy').click()
    await page.unroute(part)
    await page.getByRole('button', { name: 'Load the page anew' }).click()
    const heading = page.getByRole('heading', { name: 'Deploy', level: 1 })
    await expect(heading).toBeVisible()
    await walk.expectStep('Deploy', 'Done')

    // Opened without its code it is as the server drew it, until the code comes.
    await page.route(part, (route) => route.abort())
    const refused = page.waitForEvent('requestfailed', (request) => request.url().endsWith('split_deploy.wasm'))
    await page.reload()
    await refused
    await expect(heading).toBeVisible()
    await page.unroute(part)
    await walk.expectStep('Deploy', 'Done')
  })
})

test.describe('on the way', () => {
  test('a project that breaks under way is told and nothing is lost; mended, it goes on', async ({ open, scratch, start }) => {
    const slipway = await start()
    const page = await open(slipway.link('/setup'))
    const setup = new SetupPage(page)
    await setup.expectProof(/practice answers/)
    const manifest = `${scratch}/todo-chatbot/slipway.toml`

    changeFile(manifest, 'size_budget = "200MB"', 'size_bugdet = "200MB"')
    await setup.button('Check again').click()
    const finding = setup.finding('slipway.toml has an unknown key `size_bugdet`').first()
    await expect(finding).toBeVisible()
    await expect(finding).toContainText(/slipway\.toml:\d+:\d+/)
    // What is typed stands as code.
    await expect(finding.getByText('size_budget', { exact: true })).toBeVisible()
    await setup.walk.expectNotDone('Setup')
    await expectAccessible(page)

    changeFile(manifest, 'size_bugdet', 'size_budget')
    await setup.button('Check again').click()
    await setup.expectProof(/practice answers/)
  })

  test('a secret of the wrong shape is refused before it is sent, and the reason named', async ({ open, start }) => {
    const slipway = await start()
    const page = await open(slipway.link('/secrets'))
    const secrets = new SecretsPage(page)
    const cases: [string, string, RegExp][] = [
      ['Neon connection string', 'mysql://u:p@host/db', /should start with postgres:/],
      ['Neon connection string', 'postgres://u:p@ep-x.eu.aws.neon.tech/db', /add \?sslmode=require/],
      ['OpenAI API key', 'sk one two', /no spaces/],
      ['Signing secret for visitors', 'too short', /needs at least 32/],
    ]
    for (const [label, value, why] of cases) {
      await secrets.masked(label).fill(value)
      await expect(secrets.secrets()).toContainText(why)
      await expect(secrets.saveButton(label)).toHaveAttribute('aria-disabled', 'true')
    }
    await secrets.walk.expectNotDone('Secrets')
    await expectAccessible(page)
  })

  test('manifests that are away or not Kubernetes stop the plan, with the file named', async ({ open, scratch, start }) => {
    const slipway = await start()
    const panel = new Panel(slipway.url.origin, slipway.token)
    await panel.walkToDeploy()
    const manifests = `${scratch}/todo-chatbot/k8s`
    const page = await open(slipway.link('/deploy'))
    const deploy = new DeployPage(page)
    await deploy.expectPlanned('Create', 'Deployment', 'backend')

    renameSync(manifests, `${manifests}.away`)
    await deploy.refreshButton().click()
    await expect(page.getByText('MANIFESTS_MISSING').or(page.getByText('PROJECT_MISSING_PATH')).first()).toBeVisible()
    await expectAccessible(page)
    renameSync(`${manifests}.away`, manifests)

    writeFileSync(`${manifests}/40-shopping.yaml`, 'milk: 2\neggs: 12\n')
    await deploy.refreshButton().click()
    await expect(page.getByText('MANIFEST_NOT_KUBERNETES').first()).toBeVisible()
    await expect(page.getByText(/40-shopping\.yaml/).first()).toBeVisible()

    rmSync(`${manifests}/40-shopping.yaml`)
    await deploy.refreshButton().click()
    await deploy.expectPlanned('Create', 'Deployment', 'backend')
    await deploy.walk.expectStep('Deploy', 'To do')
  })

  test('a cluster that goes away turns everything grey, and its return makes it true again', async ({
    open,
    scratch,
    startPractice,
    start,
  }) => {
    const stateDir = `${scratch}/state`
    const cluster = await startPractice(stateDir)
    const slipway = await start({ stateDir })
    const panel = new Panel(slipway.url.origin, slipway.token)
    await panel.walk()
    const page = await open(slipway.link('/live'))
    const walk = new WalkBar(page)
    const live = new LivePage(page)
    for (const title of TITLES) await walk.expectStep(title, 'Done')
    await live.expectProbesPassing('backend')

    await cluster.kill('SIGKILL')
    for (const title of TITLES) await walk.expectNotDone(title)
    await walk.expectStep('Setup', 'Stale')
    await walk.expectStep('Live', 'Stale')
    await expect(page.getByText(/^Stale \d/)).toBeVisible()
    await expect(page.getByRole('link', { name: /^Cluster practice/ })).toHaveAccessibleName(/is silent|has a problem/)
    await expectAccessible(page)

    await startPractice(stateDir)
    for (const title of TITLES) await walk.expectStep(title, 'Done', 60_000)
    await live.expectReady('frontend')
    await live.expectProbesPassing('frontend')
  })
})
