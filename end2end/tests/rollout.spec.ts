import { join } from 'node:path'
import { DeployPage } from './pages/deploy-page.ts'
import { kubectl } from './support/kube.ts'
import { Panel } from './support/panel.ts'
import { changeFile, exampleProject } from './support/slipway.ts'
import { expect, expectAccessible, test } from './support/test.ts'

/** Of two questions asked at once one is refused, and the browser says so. */
const REFUSED = /api\/deploys\/deploy|responded with a status of/

test('rollouts are steered from the page, drift is seen, and of two operators one deploys', async ({ open, scratch, start }) => {
  const project = exampleProject(scratch)
  const slipway = await start({ project })
  const panel = new Panel(slipway.url.origin, slipway.token)
  await panel.walk()
  const page = await open(slipway.link('/deploy'), { expected: REFUSED })
  const deploy = new DeployPage(page)
  const backend = deploy.rollout('backend')

  await test.step('restart: new pods, then the run is over', async () => {
    await deploy.pressAndConfirm('Restart backend', 'Restart')
    await deploy.expectRun('Restart', 'Succeeded', 60_000)
    await expect(backend).toContainText('Revision 2')
  })

  await test.step('scale, by keyboard; what is no number of pods says so', async () => {
    const pods = backend.getByRole('textbox', { name: 'Pods of backend' })
    await pods.fill('many')
    await expect(deploy.button('Scale backend')).toHaveAttribute('aria-disabled', 'true')
    await pods.fill('2')
    await pods.press('Tab')
    await page.keyboard.press('Enter')
    await deploy.expectRun('Scale', 'Succeeded', 60_000)
    await expect(backend).toContainText('2 of 2 new pods ready')
  })

  await test.step('pause and resume', async () => {
    await deploy.button('Pause the rollout of backend').click()
    await expect(backend.getByText('Paused', { exact: true })).toBeVisible()
    await expectAccessible(page)
    await deploy.button('Resume the rollout of backend').click()
    await expect(backend.getByText('Paused', { exact: true })).toHaveCount(0)
    await deploy.expectRun('Resume the rollout', 'Succeeded', 60_000)
  })

  await test.step('undo goes back to the pods of an earlier revision', async () => {
    await backend.getByText('History of backend').click()
    await deploy.pressAndConfirm('Undo to revision 1', 'Undo')
    await deploy.expectRun('Undo', 'Succeeded', 60_000)
    await expect(backend).toContainText('Revision 3')
  })

  await test.step('a field changed behind our back shows as drift', async () => {
    kubectl(`${slipway.stateDir}/practice/kubeconfig`, 'scale', 'deployment', 'frontend', '--namespace=todo', '--replicas=2')
    const drifted = deploy.drift().getByRole('listitem').filter({ hasText: 'Deployment frontend' })
    await expect(drifted).toContainText('.spec.replicas', { timeout: 30_000 })
    await expect(drifted).toContainText(/by kubectl/)
  })

  await test.step('two operators press deploy at once: one runs, the other is told', async () => {
    changeFile(join(project, 'k8s/10-config.yaml'), 'RUST_LOG: "info"', 'RUST_LOG: "debug"')
    const other = await open(slipway.link('/deploy'), { expected: REFUSED })
    const pages = [page, other]
    await new DeployPage(page).button('Plan to put it back').click()
    for (const each of pages) await new DeployPage(each).expectPlanned('Update', 'ConfigMap', 'todo-config')
    // Neither question reaches the server before both are asked.
    let asked = 0
    let both = () => {}
    const bothAsked = new Promise<void>((done) => (both = done))
    for (const each of pages) {
      await each.route('**/api/deploys/deploy', async (route) => {
        asked += 1
        if (asked === pages.length) both()
        await bothAsked
        await route.continue()
      })
    }
    const before = Object.keys((await panel.state()).runs).length
    await Promise.all(pages.map((each) => new DeployPage(each).pressAndConfirm('Deploy', 'Deploy')))
    const told = (each: typeof page) => each.getByRole('alert').filter({ hasText: /RUN_IN_PROGRESS|PLAN_OUTDATED/ })
    const counts = async () => (await Promise.all(pages.map((each) => told(each).count()))).toSorted()
    await expect.poll(counts, 'told on one of the two pages').toEqual([0, 1])
    const runs = Object.values((await panel.state()).runs)
    expect(runs.length).toBe(before + 1)
    await panel.untilSucceeded(runs.at(-1)!.id)
    for (const each of pages) await new DeployPage(each).expectEnding('Succeeded')
  })
})
