import { join } from 'node:path'
import { HelmSide } from './pages/helm-side.ts'
import { kubectl } from './support/kube.ts'
import { Panel } from './support/panel.ts'
import { expect, expectAccessible, test } from './support/test.ts'

/** The real helm 4, as `cargo xtask tools` puts it. */
const HELM = join(process.env.SLIPWAY_TEST_TOOLS ?? '../target/tools', 'helm-4/helm')

/** Passes the schema of the chart and not the backend's own check, so that new pods crash. */
const NO_ADDRESS = 'http://['

test('the project is handed to Helm, deployed by the form, broken, and rolled back', async ({ open, start }) => {
  const slipway = await start({ env: { SLIPWAY_HELM: HELM } })
  const panel = new Panel(slipway.url.origin, slipway.token)
  await panel.walk()
  const replicas = () =>
    kubectl(`${slipway.stateDir}/practice/kubeconfig`, 'get', 'deployment', 'backend', '--namespace=todo', '--output=jsonpath={.spec.replicas}')
  const page = await open(slipway.link('/deploy'))
  const helm = new HelmSide(page)

  await test.step('while it is deployed raw, the preview says whose the objects are', async () => {
    await helm.tab('Raw').focus()
    await page.keyboard.press('ArrowRight')
    await expect(helm.tab('Helm')).toBeFocused()
    await helm.previewButton().press('Enter')
    await expect(helm.plan().getByRole('article').filter({ hasText: 'OWNED_BY_RAW' })).toBeVisible({ timeout: 30_000 })
    await expect(helm.act('Install todo-chatbot')).toHaveAttribute('aria-disabled', 'true')
    await expectAccessible(page)
    await helm.act('Put away').click()
  })

  await test.step('the project changes hands by a plan, and no pod restarts', async () => {
    const before = Object.values((await panel.state()).pods).map(({ name }) => name)
    await helm.button('Switch to Helm').click()
    await expect(helm.switchPlan().getByRole('listitem').filter({ hasText: 'Deployment backend' })).toContainText('Take as it is')
    await helm.pressAndConfirm('Change hands', 'Change hands')
    await helm.expectRun('Change hands', 'Succeeded')
    await expect(page.getByRole('region', { name: 'Owner' })).toContainText('Helm release todo-chatbot')
    const after = Object.values((await panel.state()).pods).map(({ name }) => name)
    expect(after.toSorted()).toEqual(before.toSorted())
  })

  await test.step('the first deploy makes revision 1', async () => {
    await helm.deployRelease(/^Install todo-chatbot$/)
    await expect(helm.revision(1)).toContainText('deployed', { timeout: 60_000 })
    await helm.expectEnding('Succeeded')
    expect(replicas()).toBe('1')
  })

  await test.step('a value is changed by keyboard, which goes on to the next field', async () => {
    await helm.value('backend', 'replicas').focus()
    await page.keyboard.press('ControlOrMeta+a')
    await page.keyboard.type('50')
    await page.keyboard.press('Tab')
    await expect(helm.value('backend', 'replicas')).toHaveAttribute('aria-invalid', 'true')
    await expect(helm.value('backend', 'replicas')).toHaveAccessibleDescription(/want 20/)
    await expect(helm.value('backend', 'resources')).toBeFocused()
    await helm.value('backend', 'replicas').fill('2')
    await page.keyboard.press('Tab')
    await expect(helm.value('backend', 'replicas')).not.toHaveAttribute('aria-invalid', 'true')
    await expect(helm.button('Reset replicas')).toBeFocused()
    await expectAccessible(page)
  })

  await test.step('the preview shows just that, and the deploy does it', async () => {
    await helm.previewButton().press('Enter')
    await helm.expectPlanned('Update', 'Deployment', 'backend')
    await helm.option('Deployment', 'backend').click()
    await expect(helm.difference('Deployment backend')).toContainText('replicas: 2')
    await expectAccessible(page)
    await helm.act('Upgrade todo-chatbot').press('Enter')
    await expect(helm.revision(2)).toContainText('deployed', { timeout: 60_000 })
    expect(replicas()).toBe('2')
  })

  await test.step('a bad value breaks it: the rollout ends early with the reason, and the release is put back', async () => {
    await helm.value('backend', 'replicas').fill('3')
    await helm.value('config', 'openaiBaseUrl').fill(NO_ADDRESS)
    await helm.value('config', 'openaiBaseUrl').press('Tab')
    await helm.deployRelease(/^Upgrade todo-chatbot$/)
    await helm.expectEnding('Failed', 90_000)
    const finding = helm.deployRun().getByRole('article').first()
    await expect(finding).toContainText('backend')
    await finding.getByText('Evidence').click()
    await expect(finding).toContainText('OPENAI_BASE_URL')
    await expect(helm.revision(3)).toContainText('failed')
    await expect(helm.revision(4)).toContainText('Rollback to 2')
    expect(replicas()).toBe('2')
  })

  await test.step('any revision can be gone back to, with a preview', async () => {
    await helm.button('Compare with 1: revision 2').click()
    await expect(page.getByRole('region', { name: 'From revision 1 to 2' })).toContainText('.backend.replicas')
    await helm.button('Roll back to revision 1').press('Enter')
    await helm.expectPlanned('Update', 'Deployment', 'backend')
    await helm.act('Roll back to revision 1').click()
    await expect(helm.revision(5)).toContainText('deployed', { timeout: 60_000 })
    await helm.expectEnding('Succeeded', 60_000)
    expect(replicas()).toBe('1')
    await expectAccessible(page)
  })
})
