import { DemoPage } from './pages/demo-page.ts'
import { ShareDialog } from './pages/share-dialog.ts'
import { expect, expectAccessible, test } from './support/test.ts'

test('a link with a QR code lets others watch, counts them and is taken back at once', async ({ open, start }) => {
  const slipway = await start({ args: ['--share=127.0.0.1:0'] })
  const operator = await open(slipway.link('/demo'))
  const dialog = new ShareDialog(operator)
  await dialog.button().click()
  await expect(dialog.qr()).toBeVisible()
  await expect(dialog.count('0 viewers are watching')).toBeVisible()
  await expectAccessible(operator)

  const link = await dialog.link()
  expect(slipway.output()).toContain(link)
  expect(new URL(link).port).not.toBe(slipway.url.port)
  const viewer = await open(link, { expected: /401/ })
  await expect(viewer.getByRole('heading', { name: 'todo-chatbot', level: 1 })).toBeVisible()
  await expect(new ShareDialog(viewer).button()).toHaveCount(0)
  await expect(dialog.count('1 viewer is watching')).toBeVisible()
  await expect(new DemoPage(viewer).leave()).toBeVisible()

  await dialog.end().click()
  await expect(viewer.getByRole('heading', { name: 'This link is no longer valid' })).toBeVisible()
  await expect(dialog.begin()).toBeVisible()
  await expect(dialog.qr()).toHaveCount(0)
  await dialog.begin().click()
  await expect(dialog.qr()).toBeVisible()
  expect(await dialog.link()).not.toBe(link)
})
