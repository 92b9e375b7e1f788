import type { Page } from '@playwright/test'
import { LivePage } from './pages/live-page.ts'
import { Between } from './support/between.ts'
import { kubectl } from './support/kube.ts'
import { Panel } from './support/panel.ts'
import { expect, test } from './support/test.ts'

/** What the browser itself says about connections that break is what these tests are about. */
const BROKEN = /ERR_|Failed to load resource/

test('whatever happens between Slipway and the cluster, nothing old is called fresh, and what was missed is caught up', async ({
  open,
  scratch,
  serve,
  start,
}) => {
  const host = await start({ stateDir: `${scratch}/state` })
  await new Panel(host.url.origin, host.token).walk()
  const kubeconfig = `${scratch}/state/practice/kubeconfig`
  const scale = (count: number) => kubectl(kubeconfig, '-n', 'todo', 'scale', 'deployment/backend', `--replicas=${count}`)
  const between = await Between.to(kubeconfig)
  try {
    const slipway = await serve(`${scratch}/beside`, ['--project', `${scratch}/todo-chatbot`, '--cluster', 'between'], {
      KUBECONFIG: between.writeKubeconfig(`${scratch}/kubeconfig`, 'between'),
    })
    const page = await open(slipway.link('/live'))
    const live = new LivePage(page)
    const expectPods = async (count: number) => {
      await expect(live.component('backend')).toContainText(`${count}of ${count} pods ready`, { timeout: 60_000 })
      await expect(live.pods('backend')).toHaveCount(count, { timeout: 60_000 })
    }
    await expectPods(1)
    await live.expectFresh()

    await test.step('every connection breaks: grey, and how old it is; back: fresh, with what was missed', async () => {
      between.cut()
      await live.expectStale('backend')
      scale(2)
      await expect(live.component('backend')).toContainText('1of 1 pods ready')
      between.mend()
      await expectPods(2)
      await live.expectFresh()
    })

    await test.step('nothing comes through any more, and nobody says so', async () => {
      between.hold()
      await live.expectStale('backend')
      scale(1)
      between.mend()
      await expectPods(1)
      await live.expectFresh()
    })

    await test.step('only the watches break: they go on where they were', async () => {
      between.cutWatches()
      scale(2)
      await expectPods(2)
      await live.expectFresh()
    })

    await test.step('their version is too old, said in the stream', async () => {
      between.expireWatches()
      scale(1)
      await expectPods(1)
      await live.expectFresh()
    })

    await test.step('their version is too old, said when they are opened anew', async () => {
      between.refuseWatches(4)
      between.cutWatches()
      scale(2)
      await expect.poll(() => between.refused).toBe(4)
      await expectPods(2)
      await live.expectFresh()
    })

    await test.step('the API server ends and comes back elsewhere, with pods of its own', async () => {
      const before = await live.podNames('backend')
      await host.kill()
      await live.expectStale('backend')
      await start({ stateDir: `${scratch}/state`, project: `${scratch}/todo-chatbot` })
      between.leadTo(kubeconfig)
      await live.expectFresh()
      await expectPods(2)
      expect((await live.podNames('backend')).length).toBe(before.length)
    })
  } finally {
    between.close()
  }
})

test('a page that slept, hangs or lives on another clock tells the truth once it can', async ({ open, start, scratch }) => {
  const slipway = await start()
  await new Panel(slipway.url.origin, slipway.token).walk()
  const kubeconfig = `${scratch}/state/practice/kubeconfig`
  const page = await open(slipway.link('/live'), { expected: BROKEN })
  const live = new LivePage(page)
  await live.expectReady('backend')
  await live.expectFresh()

  await test.step('a frozen tab shows what changed meanwhile as soon as it wakes', async () => {
    const devtools = await page.context().newCDPSession(page)
    await devtools.send('Page.setWebLifecycleState', { state: 'frozen' })
    kubectl(kubeconfig, '-n', 'todo', 'scale', 'deployment/backend', '--replicas=2')
    kubectl(kubeconfig, '-n', 'todo', 'rollout', 'status', 'deployment/backend', '--timeout=60s')
    await devtools.send('Page.setWebLifecycleState', { state: 'active' })
    await expect(live.component('backend')).toContainText('2of 2 pods ready')
    await live.expectFresh()
  })

  await test.step('a clock that jumps ahead or back makes nothing older or younger', async () => {
    for (const hours of [3, -3]) {
      await setClock(page, hours)
      await live.expectFresh()
      await expect(live.component('backend')).toContainText('As of now')
      process.kill(slipway.pid, 'SIGSTOP')
      try {
        await live.expectStale('backend')
        await expect(live.component('backend')).toContainText(/As of \d+ s ago/)
      } finally {
        process.kill(slipway.pid, 'SIGCONT')
      }
      await live.expectFresh()
    }
    await setClock(page, 0)
  })

  await test.step('Slipway ends, and the page says since when it shows the past', async () => {
    await slipway.kill()
    await expect(page.getByRole('status').filter({ hasText: 'Reconnecting to Slipway' })).toBeVisible()
    await live.expectStale('backend')
  })
})

/** Sets the page's wall clock; its own goes on as before. */
async function setClock(page: Page, hours: number) {
  await page.evaluate((hours) => {
    const clock = window as { unset?: () => number }
    const unset = (clock.unset ??= Date.now.bind(Date))
    Date.now = () => unset() + hours * 3_600_000
  }, hours)
}
