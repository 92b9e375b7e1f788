import { DemoPage } from './pages/demo-page.ts'
import { LivePage } from './pages/live-page.ts'
import { Palette } from './pages/palette.ts'
import { WalkBar } from './pages/walk-bar.ts'
import { expect, expectAccessible, test } from './support/test.ts'

test('the palette leads to every page and does what the operator may do', async ({ deployed, open }) => {
  const page = await open(deployed.slipway.link('/live'))
  await new LivePage(page).expectReady('backend')
  const palette = new Palette(page)
  await palette.open()
  await expect(palette.input()).toBeFocused()
  await expectAccessible(page)
  await palette.input().fill('demo roll')
  await expect(palette.options()).toHaveCount(1)
  await page.keyboard.press('Enter')
  await expect(new DemoPage(page).rollout('backend')).toBeVisible()
  await expect(palette.dialog()).toHaveCount(0)

  await palette.open()
  await palette.input().fill('secrets')
  await page.keyboard.press('Enter')
  await expect(page).toHaveURL(/\/secrets$/)
  await palette.open()
  await palette.input().fill('checks')
  await page.keyboard.press('Enter')
  await expect(palette.dialog()).toHaveCount(0)
})

test('what cannot be taken back is asked for twice', async ({ deployed, open }) => {
  const page = await open(deployed.slipway.link('/setup'))
  // Keys are heard once the browser half runs.
  await new WalkBar(page).expectStep('Setup', 'Done')
  const palette = new Palette(page)
  await palette.open()
  await palette.input().fill('restart frontend')
  await expect(palette.options()).toHaveCount(1)
  const before = Object.keys((await deployed.panel.state()).runs)
  await page.keyboard.press('Enter')
  await expect(palette.chosen()).toContainText('Enter again to do it')
  expect(Object.keys((await deployed.panel.state()).runs)).toEqual(before)
  await page.keyboard.press('Escape')
  await expect(palette.dialog()).toHaveCount(0)
})

test('a viewer is offered places and nothing that acts', async ({ deployed, open }) => {
  const page = await open(deployed.slipway.viewerLink('/live'))
  await new LivePage(page).expectReady('backend')
  const palette = new Palette(page)
  await palette.open()
  await expect(palette.option('Demo screen: Health')).toBeVisible()
  for (const deed of ['Restart', 'Break and heal', 'Let others watch', 'Build all', 'Run all checks']) {
    await expect(palette.option(deed)).toHaveCount(0)
  }
})

test('keys lead to the steps, are listed, and can be switched off', async ({ deployed, open }) => {
  const page = await open(deployed.slipway.viewerLink('/live'))
  await new LivePage(page).expectReady('backend')
  const palette = new Palette(page)
  await page.keyboard.press('2')
  await expect(page).toHaveURL(/\/secrets$/)
  await page.keyboard.press('Shift+?')
  await expect(palette.keys()).toBeVisible()
  await expectAccessible(page)
  await palette.keys().getByRole('checkbox').uncheck()
  await page.keyboard.press('Escape')
  await expect(palette.keys()).toHaveCount(0)
  await page.keyboard.press('3')
  await palette.open()
  await expect(palette.input()).toBeFocused()
  await expect(page).toHaveURL(/\/secrets$/)
})
