import { DemoPage } from './pages/demo-page.ts'
import { expect, expectAccessible, test } from './support/test.ts'

test('the presenter breaks and heals from another tab, and the demo screen follows', async ({ deployed, open }) => {
  test.setTimeout(180_000)
  const screen = await open(deployed.slipway.viewerLink('/demo'))
  await expect(screen.getByRole('heading', { level: 1 })).toBeVisible()
  await expect(screen.getByRole('button', { name: 'Break and heal' })).toHaveCount(0)

  const presenter = await open(deployed.slipway.link('/demo?scene=health'))
  await new DemoPage(presenter).expectReady('frontend')
  await presenter.getByRole('button', { name: 'Break and heal' }).click()
  const dialog = presenter.getByRole('dialog', { name: 'Break and heal' })
  await dialog.getByRole('combobox', { name: 'Component' }).selectOption('frontend')
  await expectAccessible(presenter)
  await dialog.getByRole('button', { name: 'Run: Bad rollout' }).click()
  const run = dialog.getByRole('region', { name: 'Run: Break and heal' })
  await expect(run).toContainText('Roll out an image of frontend that does not exist')

  // By itself, the screen goes to where it happens and says what goes on.
  const demo = new DemoPage(screen)
  await expect(demo.scene('Rollout')).toBeVisible({ timeout: 60_000 })
  await expect(demo.rollout('frontend')).toContainText('1 of an older version', { timeout: 60_000 })
  await expect(screen.getByText('Break and heal', { exact: true }).first()).toBeVisible()
  await expect(run).toContainText('Succeeded', { timeout: 120_000 })
  await expect(run).toContainText('No fault is left in, and the rollout is complete')
  await demo.sceneLink('Health').click()
  await demo.expectReady('frontend')
})
