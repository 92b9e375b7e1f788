import { readFileSync, writeFileSync } from 'node:fs'
import { LivePage } from './pages/live-page.ts'
import { podProcesses } from './support/processes.ts'
import { expect, expectAccessible, test } from './support/test.ts'

test('the logs of all pods are followed as one, searched, held and taken home', async ({ deployed, open }) => {
  const { slipway, panel } = deployed
  // Every container's own output: what is written there is a line of its log.
  const outputs = podProcesses(slipway.stateDir).map(({ pid }) => `/proc/${pid}/fd/1`)
  expect(outputs.length).toBeGreaterThanOrEqual(2)
  const say = (text: string) => outputs.forEach((output) => writeFileSync(output, text))
  const page = await open(slipway.link('/live'))
  const title = await page.title()
  const live = new LivePage(page)
  await live.tab('Logs').click()

  await test.step('lines of both components arrive in one log', async () => {
    await live.logsOf().selectOption('All components')
    say('INFO said by the test\n')
    await expect(live.log().getByText('INFO said by the test').first()).toBeVisible()
    const pods = Object.values((await panel.state()).pods).map(({ name }) => name)
    for (const pod of pods) await expect(live.log().getByTitle(pod, { exact: true }).first()).toBeVisible()
  })

  await test.step('a line is shown as text, whatever it is', async () => {
    say('\u001b[31mWARN red\u001b[0m \u001b]0;another title\u0007<img src=x onerror=alert(1)> \u202eturned\n')
    await expect(live.log().getByText('WARN red <img src=x onerror=alert(1)>').first()).toBeVisible()
    await expect(live.log().getByRole('img')).toHaveCount(0)
    await expect(live.log()).not.toContainText('\u202e')
    await expect(live.log()).not.toContainText('[31m')
    expect(await page.title()).toBe(title)
  })

  await test.step('only what is searched for, and only the level that is asked for', async () => {
    say('ERROR needle one\nINFO needle two\n')
    await live.logSearch().fill('NEEDLE')
    await expect(live.log().getByText('INFO needle two').first()).toBeVisible()
    await expect(live.log()).not.toContainText('said by the test')
    await live.logLevel().selectOption('Error')
    await expect(live.log()).not.toContainText('needle two')
    await expect(live.log().getByText('ERROR needle one').first()).toBeVisible()
    await expectAccessible(page)
    await live.logLevel().selectOption('All')
    await live.logSearch().fill('')
    await expect(live.log().getByText('INFO said by the test').first()).toBeVisible()
  })

  await test.step('pause holds the lines back, and counts them', async () => {
    await live.button('Pause').click()
    say('INFO came while paused\n')
    await expect(page.getByText(/, [1-9]\d* new$/)).toBeVisible()
    await expect(live.log()).not.toContainText('came while paused')
    await live.button('Pause').click()
    await expect(live.log().getByText('INFO came while paused').first()).toBeVisible()
  })

  await test.step('the log is taken home as a file', async () => {
    const [file] = await Promise.all([page.waitForEvent('download'), live.button('Download log').click()])
    const text = readFileSync(await file.path(), 'utf8')
    expect(text).toContain('INFO said by the test')
    expect(text).toContain('ERROR needle one')
    expect(text).not.toContain('\u001b')
  })
})

test('any moment of the timeline can be read by keyboard', async ({ deployed, open }) => {
  const page = await open(deployed.slipway.link('/live'))
  const live = new LivePage(page)
  await live.tab('Timeline').click()
  await live.button('10 min').click()
  await live.moment().press('End')
  await expect(live.moment()).toHaveAttribute('aria-valuenow', '100')
  await expect(live.moment()).toHaveAttribute('aria-valuetext', /backend Readiness Passing/)
  await live.moment().press('ArrowLeft')
  await expect(live.moment()).toHaveAttribute('aria-valuenow', '99')
  // A day ago nothing was recorded of this cluster.
  await live.button('1 day').click()
  await live.moment().press('Home')
  await expect(live.moment()).toHaveAttribute('aria-valuenow', '0')
  await expect(live.moment()).toHaveAttribute('aria-valuetext', /backend Readiness Not recorded/)
  await expect(page.getByRole('region', { name: 'At that moment' })).toContainText('backend, readiness')
  await expectAccessible(page)
})

test('what every container uses is measured and drawn against what it asks for', async ({ deployed, open }) => {
  const page = await open(deployed.slipway.link('/live'))
  const live = new LivePage(page)
  const backend = live.usage('backend').first()
  // Measured every five seconds, and asked for every fifteen.
  await expect(backend).toContainText(/CPU\d+m/, { timeout: 60_000 })
  await expect(live.usage('backend').last()).toContainText(/Memory\d+Mi(asks for|limit|no request)/)
  await expect(live.usage('frontend')).toHaveCount(2)
  await expectAccessible(page)
})
