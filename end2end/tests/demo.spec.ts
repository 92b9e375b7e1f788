import { DemoPage, SCENES } from './pages/demo-page.ts'
import { LivePage } from './pages/live-page.ts'
import { expect, expectAccessible, test } from './support/test.ts'

test('the demo screen tells how things stand without chrome, and lets go again', async ({ deployed, open }) => {
  const page = await open(deployed.slipway.viewerLink('/demo?scene=health'))
  const demo = new DemoPage(page)
  await expect(page.getByRole('heading', { name: 'todo-chatbot', level: 1 })).toBeVisible()
  for (const service of ['backend', 'frontend']) {
    await demo.expectReady(service)
    await expect(demo.service(service)).toContainText(/Up\d+/)
    await expect(demo.service(service)).toContainText(/Version[0-9a-f]{8,}/)
  }
  await expect(page.getByRole('list', { name: 'Steps' })).toContainText('Done')
  await expect(page.getByRole('navigation', { name: 'Steps' })).toHaveCount(0)
  await expect(page.getByText(/^Data \d+ s old$/)).toBeVisible()
  await demo.leave().click()
  await new LivePage(page).expectReady('backend')
})

test('every scene has an address, fits on one screen and is accessible', async ({ deployed, open }) => {
  for (const scene of SCENES) {
    await test.step(scene, async () => {
      const page = await open(deployed.slipway.viewerLink(`/demo?scene=${scene.toLowerCase()}`))
      const demo = new DemoPage(page)
      await expect(demo.scene(scene)).toBeVisible()
      await expect(demo.scene(scene).getByRole('listitem').first()).toBeVisible()
      await expect(page).toHaveURL(new RegExp(`scene=${scene.toLowerCase()}$`))
      await expect(demo.sceneLink(scene)).toHaveAttribute('aria-current', 'page')
      for (const size of [{ width: 1920, height: 1080 }, { width: 1280, height: 720 }]) {
        await page.setViewportSize(size)
        await demo.expectNoScrolling()
      }
      await expectAccessible(page)
    })
  }
})

test('the arrows change the scene, and the space bar holds it and lets it go', async ({ deployed, open }) => {
  const page = await open(deployed.slipway.viewerLink('/demo?scene=rollout'))
  const demo = new DemoPage(page)
  await expect(demo.rollout('backend')).toContainText('1 of 1 new pods ready')
  await page.keyboard.press('ArrowRight')
  await expect(demo.scene('Events')).toBeVisible()
  await expect(page).toHaveURL(/scene=events$/)
  await expect(demo.happenings().first()).toBeVisible()
  await page.keyboard.press('ArrowRight')
  await expect(demo.steps()).toHaveCount(6)
  await page.keyboard.press('ArrowLeft')
  await expect(demo.scene('Events')).toBeVisible()
  await page.keyboard.press('Space')
  await expect(page).toHaveURL(/\/demo$/)
  await expect(demo.hold()).toBeVisible()
  await page.keyboard.press('Space')
  await expect(page).toHaveURL(/scene=\w+$/)
  await expect(demo.follow()).toBeVisible()
})

test('on a phone everything can be read by scrolling down only', async ({ deployed, open }) => {
  const page = await open(deployed.slipway.viewerLink('/demo?scene=health'))
  await page.setViewportSize({ width: 390, height: 844 })
  const demo = new DemoPage(page)
  await demo.expectReady('frontend')
  await demo.leave().scrollIntoViewIfNeeded()
  await expect(demo.leave()).toBeInViewport({ ratio: 1 })
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(390)
})
