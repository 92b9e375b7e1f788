import { AssistPage } from './pages/assist-page.ts'
import { DeployPage } from './pages/deploy-page.ts'
import { ImagesPage } from './pages/images-page.ts'
import { LivePage } from './pages/live-page.ts'
import { SecretsPage } from './pages/secrets-page.ts'
import { SetupPage } from './pages/setup-page.ts'
import { TodoApp } from './pages/todo-app.ts'
import { expect, expectAccessible, test } from './support/test.ts'

test('the printed link leads through six steps to a chat message answered by the deployed app', async ({ open, start }) => {
  const slipway = await start()
  const page = await open(slipway.link())

  const setup = new SetupPage(page)
  await test.step('Setup: the practice cluster is in use and the checks pass', async () => {
    // `/` leads to the first step that is not done, and Setup may be done already.
    await expect(page).toHaveURL(/\/(setup|secrets)$/)
    await setup.walk.goTo('Setup')
    await setup.expectInUse('practice')
    await setup.expectReady('Project', 'Cluster', 'Build tools')
    await setup.expectProof(/practice answers/)
    expect(page.url(), 'the token is out of the address bar').not.toContain('token')
    for (const later of ['Images', 'Deploy', 'Assist', 'Live'] as const) await setup.walk.expectNotDone(later)
    await expectAccessible(page)
    await setup.goOn('Secrets')
  })

  const secrets = new SecretsPage(page)
  await test.step('Secrets: entered, generated, and never shown again', async () => {
    await secrets.useRehearsalValue('Neon connection string')
    await secrets.expectSet('DATABASE_URL')
    await secrets.masked('OpenAI API key').fill('short')
    await expect(secrets.secret('OPENAI_API_KEY')).toContainText('It has 5 characters')
    await secrets.enter('OpenAI API key', 'sk-stand-in-0123456789')
    await secrets.expectSet('OPENAI_API_KEY')
    await expectAccessible(page)
    await secrets.generate('Signing secret for visitors')
    await secrets.expectSet('AUTH_SECRET')
    await secrets.expectProof('3 of 3 values are in the cluster')
    await secrets.goOn('Images')
  })

  const images = new ImagesPage(page)
  await test.step('Images: built, and found again in the cluster', async () => {
    await images.build()
    await images.expectProof('2 of 2 images are in the cluster', 110_000)
    await images.expectInCluster('backend')
    await images.expectInCluster('frontend')
    await expect(images.log()).toContainText('cargo build')
    await expectAccessible(page)
    await images.goOn('Deploy')
  })

  const deploy = new DeployPage(page)
  await test.step('Deploy: the plan first, then exactly that, to the end of the rollout', async () => {
    await deploy.expectPlanned('Create', 'Deployment', 'backend')
    await deploy.expectPlanned('Create', 'Service', 'frontend')
    await expectAccessible(page)
    await deploy.deploy()
    await deploy.expectEnding('Succeeded', 60_000)
    await deploy.expectProof('2 of 2 rollouts are complete')
    await expectAccessible(page)
    await deploy.goOn('Assist')
  })

  const assist = new AssistPage(page)
  await test.step('Assist: nothing is wrong', async () => {
    await expect(assist.nothingWrong()).toBeVisible()
    await assist.expectProof('Nothing is wrong')
    await expectAccessible(page)
    await assist.goOn('Live')
  })

  const live = new LivePage(page)
  await test.step('Live: every probe of every pod passes', async () => {
    for (const component of ['backend', 'frontend']) {
      await live.expectReady(component)
      await expect(live.pods(component)).toHaveCount(1)
      await live.expectProbesPassing(component)
    }
    await live.expectProof(/2 of 2 pods are ready/)
    await expectAccessible(page)
  })

  await test.step('The app: a message adds a todo through the assistant', async () => {
    const opened = await live.open('frontend')
    const app = new TodoApp(opened)
    await app.say('add milk')
    await expect(app.todo('milk')).toBeVisible()
    await expect(app.conversation()).toContainText('Added milk')
    await expectAccessible(opened)
  })
})
