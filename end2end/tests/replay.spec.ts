import { DemoPage } from './pages/demo-page.ts'
import { Panel, send } from './support/panel.ts'
import { expect, expectAccessible, test } from './support/test.ts'

test('a walk that went well is kept, and played on a stage on which nothing answers any more', async ({ open, start }) => {
  const slipway = await start()
  const panel = new Panel(slipway.url.origin, slipway.token)
  const page = await open(slipway.link('/demo?scene=walk'), { expected: /ERR_|Failed to load resource/ })
  const demo = new DemoPage(page)
  await expect(demo.steps()).toHaveCount(6)
  await expect(demo.replay()).toHaveCount(0)
  await panel.walk()
  await panel.until('the walk is kept', ({ recording }) => recording !== null)
  await expect(demo.replay()).toBeVisible()
  await expect(demo.band()).toHaveCount(0)

  await test.step('it is for those with a token, and holds no secret', async () => {
    const replay = `${slipway.url.origin}/replay`
    expect((await send(replay)).status).toBe(401)
    const viewers = { authorization: `Bearer ${slipway.viewerToken}`, 'x-slipway': '1' }
    const { status, body } = await send(replay, { headers: viewers })
    expect(status).toBe(200)
    expect(JSON.parse(body)).toMatchObject({ state: { secrets: [], sharing: null } })
    for (const secret of [slipway.token, slipway.viewerToken, 'postgres://']) expect(body).not.toContain(secret)
  })

  await test.step('Slipway hangs: the screen says how old it is, and plays what was', async () => {
    process.kill(slipway.pid, 'SIGSTOP')
    try {
      await expect(page.getByRole('status').getByText('Stale', { exact: true })).toBeVisible()
      await demo.replay().click()
      await expect(demo.band()).toContainText(/The walk of \d+ \w+ \d{4}, \d\d:\d\d\. Not what is now\./)
      await expect(page).toHaveURL(/\/demo\?replay$/)
      await expect(demo.scene('Rollout').or(demo.scene('Walk')).or(demo.scene('Health'))).toBeVisible()
      await page.keyboard.press('ArrowRight')
      await expect(page).toHaveURL(/\/demo\?replay&scene=\w+$/)
      await demo.sceneLink('Walk').click()
      // From the first run, around as often as wanted, to the healthy app.
      await expect(demo.steps().filter({ hasText: 'Live' })).not.toContainText('Done', { timeout: 60_000 })
      await expect(demo.steps().filter({ hasText: 'Live' })).toContainText('Done', { timeout: 60_000 })
      await expect(page.getByText(/^Recorded at \d\d:\d\d:\d\d$/)).toBeVisible()
      await expect(page.getByRole('button', { name: 'Break and heal' })).toHaveCount(0)
      await expect(demo.backToNow()).toHaveText('Back to now')
      for (const size of [{ width: 1920, height: 1080 }, { width: 1280, height: 720 }]) {
        await page.setViewportSize(size)
        await demo.expectNoScrolling()
      }
      await expectAccessible(page)
    } finally {
      process.kill(slipway.pid, 'SIGCONT')
    }
    await expect(demo.backToNow()).toHaveText('Back to now: the cluster answers')
  })

  await test.step('back to now, which is live again', async () => {
    await demo.backToNow().click()
    await expect(page).toHaveURL(/\/demo$/)
    await expect(demo.band()).toHaveCount(0)
    await demo.sceneLink('Health').click()
    await demo.expectReady('backend')
  })
})
