import { writeFileSync } from 'node:fs'
import { DemoPage } from './pages/demo-page.ts'
import { LivePage } from './pages/live-page.ts'
import { kubectl } from './support/kube.ts'
import { Panel } from './support/panel.ts'
import { podProcesses } from './support/processes.ts'
import { expect, test } from './support/test.ts'

const CROWD = 500

/** As many pods as wished that no node takes. */
const crowd = (replicas: number) => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'crowd', namespace: 'todo' },
  spec: {
    replicas,
    selector: { matchLabels: { app: 'crowd' } },
    template: {
      metadata: { labels: { app: 'crowd' } },
      spec: { nodeSelector: { 'example.org/nowhere': 'yes' }, containers: [{ name: 'crowd', image: 'crowd:v1' }] },
    },
  },
})

test('five hundred pods more, and a flood of lines that nobody can read, and the page stays a page', async ({ open, scratch, start }) => {
  const slipway = await start()
  await new Panel(slipway.url.origin, slipway.token).walk()
  const kubeconfig = `${scratch}/state/practice/kubeconfig`
  const page = await open(slipway.link('/live'))
  const live = new LivePage(page)
  await live.expectReady('backend')

  await test.step('all of the pods are counted, and drawn once somebody asks for all', async () => {
    writeFileSync(`${scratch}/crowd.json`, JSON.stringify(crowd(CROWD)))
    kubectl(kubeconfig, 'apply', '-f', `${scratch}/crowd.json`)
    await live.button(`Show all ${CROWD + 2} pods`).click({ timeout: 60_000 })
    await expect(live.pods('crowd')).toHaveCount(CROWD)
    // Drawing them all keeps a small machine busy, and the cluster on it silent, for a while.
    await expect(async () => {
      await live.expectReady('backend')
      await live.expectFresh()
    }).toPass({ timeout: 60_000 })
    const screen = await open(slipway.viewerLink('/demo?scene=health'))
    await new DemoPage(screen).expectReady('backend')
    await screen.close()
  })

  await test.step('and gone again', async () => {
    kubectl(kubeconfig, '-n', 'todo', 'delete', 'deployment/crowd', '--wait=false')
    await expect(live.pods('crowd')).toHaveCount(0, { timeout: 60_000 })
    await expect(live.pods('backend')).toHaveCount(1)
  })

  await test.step('lines that are too long, or no text at all, are shown as far as they can be', async () => {
    const output = podProcesses(slipway.stateDir).map(({ pid }) => `/proc/${pid}/fd/1`)[0]!
    await live.tab('Logs').click()
    await live.logsOf().selectOption('All components')
    writeFileSync(output, Buffer.concat([Buffer.from('INFO no text '), Buffer.from([0xff, 0xfe, 0xc3]), Buffer.from(' at all\n')]))
    await expect(live.log().getByText(/INFO no text \ufffd+ at all/)).toBeVisible()
    writeFileSync(output, `INFO much too long ${'x'.repeat(1 << 20)} the end of it\n`)
    await expect(live.log().getByText(/^INFO much too long x+/)).toBeVisible()
    await expect(live.log()).not.toContainText('the end of it')

    await test.step('ten thousand lines a second: the newest is there, what is left out is counted, buttons answer', async () => {
      for (let tenth = 0; tenth < 30; tenth++) {
        const lines = Array.from({ length: 1_000 }, (_, line) => `INFO flood ${tenth} ${line}\n`)
        writeFileSync(output, lines.join(''))
        if (tenth === 15) {
          await live.button('Pause').click()
          await live.tab('Pods').click()
          await expect(live.pods('backend')).toHaveCount(1)
          await live.tab('Logs').click()
        }
        await new Promise((soon) => setTimeout(soon, 100))
      }
      await expect(page.getByText(/ not shown(, \d+ new)?$/)).toBeVisible()
      if ((await live.button('Pause').getAttribute('aria-pressed')) === 'true') await live.button('Pause').click()
      await expect(live.log().getByText('INFO flood 29 999', { exact: true })).toBeVisible()
      await live.expectFresh()
    })
  })
})
