import { join } from 'node:path'
import { DeployPage } from './pages/deploy-page.ts'
import { kubectl } from './support/kube.ts'
import { Panel } from './support/panel.ts'
import { changeFile, exampleProject } from './support/slipway.ts'
import { expect, expectAccessible, test } from './support/test.ts'

test('a plan is read object by object, by keyboard, and a conflict is forced only by choice', async ({ open, scratch, start }) => {
  const project = exampleProject(scratch)
  const slipway = await start({ project })
  const panel = new Panel(slipway.url.origin, slipway.token)
  await panel.walk()

  await test.step('with nothing changed, nothing would change', async () => {
    await panel.call('deploys/plan', {})
  })
  const page = await open(slipway.link('/deploy'))
  const deploy = new DeployPage(page)
  await expect(deploy.plan().getByText('Nothing would change').first()).toBeVisible()

  await test.step('a change of a manifest shows in the plan, unified first', async () => {
    changeFile(join(project, 'k8s/10-config.yaml'), 'RUST_LOG: "info"', 'RUST_LOG: "debug"')
    await deploy.refreshButton().click()
    await deploy.expectPlanned('Update', 'ConfigMap', 'todo-config')
    await deploy.option('ConfigMap', 'todo-config').click()
    await expect(deploy.difference('ConfigMap todo-config')).toContainText('RUST_LOG: debug')
    await expectAccessible(page)
  })

  await test.step('letters lay it out and move through the objects, and the address says what is open', async () => {
    await deploy.objects().focus()
    await page.keyboard.press('s')
    await expect(deploy.layout('Side by side')).toHaveAttribute('aria-pressed', 'true')
    await expect(page).toHaveURL(/view=split/)
    await page.keyboard.press('u')
    await expect(deploy.layout('Unified')).toHaveAttribute('aria-pressed', 'true')
    await page.keyboard.press('j')
    await expect(deploy.objects().getByRole('option', { selected: true })).not.toContainText('todo-config')
    await page.keyboard.press('k')
    await expect(deploy.objects().getByRole('option', { selected: true })).toContainText('todo-config')
    await page.keyboard.press('Enter')
    await expect(deploy.pane('ConfigMap todo-config')).toBeFocused()
    await expect(page).toHaveURL(/object=v1\/ConfigMap\/todo\/todo-config/)
  })

  await test.step('another manager takes a field: it is named, and the plan does not trample it', async () => {
    kubectl(`${slipway.stateDir}/practice/kubeconfig`, 'patch', 'deployment', 'backend', '--namespace=todo', '--type=merge', '-p', '{"spec":{"revisionHistoryLimit":7}}')
    await panel.until('the drift is seen', (state) => !!state.drift?.length)
    await expect(page.getByRole('region', { name: 'Changed behind our back' })).toContainText('kubectl-patch')
    await deploy.refreshButton().click()
    await deploy.expectPlanned('Refused', 'Deployment', 'backend')
    await deploy.option('Deployment', 'backend').click()
    const conflict = deploy.pane('Deployment backend').getByRole('table')
    await expect(conflict.getByRole('row', { name: /revisionHistoryLimit/ })).toContainText('kubectl-patch')
    await expect(deploy.deployButton()).toHaveAttribute('aria-disabled', 'true')
  })

  await test.step('forcing is a choice; then the plan goes through and nothing has drifted', async () => {
    await deploy.button('Force these fields').click()
    await expect(deploy.option('Deployment', 'backend')).toContainText('Forced')
    await deploy.deploy()
    await page.getByRole('dialog').getByRole('button', { name: 'Deploy' }).click()
    await deploy.expectEnding('Succeeded', 60_000)
    await expect(page.getByText('Everything is as it was applied')).toBeVisible()
  })
})
