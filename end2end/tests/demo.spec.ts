import { DemoPage } from './pages/demo-page.ts'
import { LivePage } from './pages/live-page.ts'
import { expect, expectAccessible, test } from './support/test.ts'

test('the demo screen tells how things stand without chrome, and lets go again', async ({ deployed, open }) => {
  const page = await open(deployed.slipway.viewerLink('/demo'))
  const demo = new DemoPage(page)
  await expect(page.getByRole('heading', { name: 'todo-chatbot', level: 1 })).toBeVisible()
  for (const service of ['backend', 'frontend']) await demo.expectReady(service)
  await expect(page.getByRole('navigation', { name: 'Steps' })).toHaveCount(0)
  await expect(page.getByText(/^Data \d+ s old$/)).toBeVisible()
  await expectAccessible(page)
  await demo.leave().click()
  await new LivePage(page).expectReady('backend')
})
