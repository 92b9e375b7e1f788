import type { Page } from '@playwright/test'
import { GuardBanner } from './pages/guard-banner.ts'
import { LivePage } from './pages/live-page.ts'
import { SetupPage } from './pages/setup-page.ts'
import { proxyTo, writeContexts } from './support/contexts.ts'
import { askCluster, changeCluster } from './support/kube.ts'
import { Panel } from './support/panel.ts'
import { exampleProject } from './support/slipway.ts'
import { expect, expectAccessible, test } from './support/test.ts'

const NAMESPACE = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'todo' } }

/** Pods that come and go, called after their cluster, until stopped. */
function churn(kubeconfig: string, cluster: string): { stop: () => Promise<void> } {
  let going = true
  const pods = '/api/v1/namespaces/todo/pods'
  const done = (async () => {
    await changeCluster(kubeconfig, 'POST', '/api/v1/namespaces', NAMESPACE)
    for (let number = 0; going; number++) {
      const name = `${cluster}-${number % 6}`
      await changeCluster(kubeconfig, 'DELETE', `${pods}/${name}?gracePeriodSeconds=0`)
      await changeCluster(kubeconfig, 'POST', pods, {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name, labels: { app: 'backend' } },
        spec: { containers: [{ name: 'c', image: `${cluster}:${number}`, imagePullPolicy: 'Never' }] },
      })
    }
  })()
  return {
    stop: async () => {
      going = false
      await done
    },
  }
}

/** Looks after every change of the page whether pods of another cluster than the named one are on it. */
async function watchForMixes(page: Page) {
  await page.evaluate(() => {
    const seen = { mixes: [] as string[], pods: 0 }
    Object.assign(window, { seen })
    const look = () => {
      const chip = document.querySelector('header a[href="/setup"]')?.textContent ?? ''
      for (const pod of document.querySelectorAll('[aria-label^="Pod "]')) {
        const name = pod.getAttribute('aria-label')!.slice('Pod '.length)
        seen.pods++
        if (!chip.includes(name.split('-')[0]!)) seen.mixes.push(`${name} on ${chip}`)
      }
    }
    new MutationObserver(look).observe(document.body, { subtree: true, childList: true, attributes: true })
  })
}

const seen = (page: Page) =>
  page.evaluate(() => (window as unknown as { seen: { mixes: string[]; pods: number } }).seen)

test('switching is instant and never shows a mix while pods churn on both clusters', async ({ open, scratch, serve, startPractice }) => {
  const [one, two] = await Promise.all([startPractice(`${scratch}/one`), startPractice(`${scratch}/two`)])
  const kubeconfig = writeContexts(`${scratch}/kubeconfig`, [
    { name: 'one', kubeconfig: one.kubeconfig },
    { name: 'two', kubeconfig: two.kubeconfig },
  ])
  const slipway = await serve(
    `${scratch}/state`,
    ['--project', exampleProject(scratch), '--cluster', 'one'],
    { KUBECONFIG: kubeconfig },
  )
  const churning = [churn(one.kubeconfig, 'one'), churn(two.kubeconfig, 'two')]
  try {
    const panel = new Panel(slipway.url.origin, slipway.token)
    const page = await open(slipway.link('/live'))
    const live = new LivePage(page)
    await live.tab('Pods').click()
    await expect(page.getByRole('listitem', { name: /^Pod one-/ }).first()).toBeVisible()
    await watchForMixes(page)
    for (const name of ['two', 'one', 'two', 'one', 'two']) {
      const other = name === 'one' ? 'two' : 'one'
      await panel.call('clusters/use', { choice: { context: name }, going: 'refuse' })
      await expect(page.getByRole('listitem', { name: new RegExp(`^Pod ${name}-`) }).first()).toBeVisible()
      await expect(page.getByRole('listitem', { name: new RegExp(`^Pod ${other}-`) })).toHaveCount(0)
    }
    const { mixes, pods } = await seen(page)
    expect(mixes).toEqual([])
    expect(pods).toBeGreaterThan(10)
  } finally {
    await Promise.all(churning.map((one) => one.stop()))
  }
})

test('a cluster that is not on this machine is looked at in red, and changed only once its name was typed', async ({
  open,
  scratch,
  serve,
  startPractice,
}) => {
  const far = await startPractice(`${scratch}/far`)
  const proxy = await proxyTo(far.kubeconfig)
  const kubeconfig = writeContexts(`${scratch}/kubeconfig`, [{ name: 'prod-eu', kubeconfig: far.kubeconfig, proxyPort: proxy.port }])
  const slipway = await serve(`${scratch}/state`, ['--project', exampleProject(scratch)], { KUBECONFIG: kubeconfig })
  try {
    const panel = new Panel(slipway.url.origin, slipway.token)
    const page = await open(slipway.link('/setup'))
    const setup = new SetupPage(page)
    const guard = new GuardBanner(page)
    await expect(setup.group('Not on this machine').getByText('prod-eu')).toBeVisible()
    await expect(guard.bar()).toHaveCount(0)
    await setup.use('prod-eu').click()
    await setup.expectInUse('prod-eu')
    await guard.expectLooking('prod-eu')
    await expectAccessible(page)

    const refused = await panel.post('secrets/generate', { key: 'AUTH_SECRET' })
    expect(refused.body).toContain('REMOTE_CLUSTER_UNCONFIRMED')
    const namespaces = await askCluster<{ items: { metadata: { name: string } }[] }>(far.kubeconfig, '/api/v1/namespaces')
    expect(namespaces.items.map(({ metadata }) => metadata.name)).not.toContain('todo')

    await guard.allow().click()
    await guard.typed().fill('prod-us')
    await expect(guard.confirm()).toBeDisabled()
    await guard.expectLooking('prod-eu')
    await guard.typed().fill('prod-eu')
    await guard.confirm().click()
    await guard.expectAllowed('prod-eu')
    await panel.call('secrets/generate', { key: 'AUTH_SECRET' })

    await guard.onlyLook().click()
    await guard.expectLooking('prod-eu')
    const again = await panel.post('secrets/generate', { key: 'AUTH_SECRET' })
    expect(again.body).toContain('REMOTE_CLUSTER_UNCONFIRMED')
  } finally {
    proxy.close()
  }
})

test('one of fifty contexts is found by typing, and a broken file is named', async ({ open, scratch, serve, startPractice }) => {
  const near = await startPractice(`${scratch}/near`)
  const kubeconfig = writeContexts(`${scratch}/kubeconfig`, [{ name: 'kind-dev', kubeconfig: near.kubeconfig }], 50)
  const { writeFileSync } = await import('node:fs')
  writeFileSync(`${scratch}/broken`, 'contexts: {')
  const slipway = await serve(`${scratch}/state`, ['--project', exampleProject(scratch), '--cluster', 'practice'], {
    KUBECONFIG: `${scratch}/broken:${kubeconfig}`,
  })
  const page = await open(slipway.link('/setup'))
  const setup = new SetupPage(page)
  await expect(setup.group('Not on this machine').getByRole('listitem')).toHaveCount(50)
  await expect(setup.clusters()).toContainText(`${scratch}/broken is left out`)
  await setup.filter().fill('kind-d')
  await expect(setup.cluster('kind-dev')).toContainText('kind, dev')
  await expect(setup.cluster('kind-dev')).toContainText('you are practice-admin')
  await expect(setup.cluster('team-1')).toHaveCount(0)
  await setup.use('kind-dev').press('Enter')
  await setup.expectInUse('kind-dev')
})

test('a frozen cluster turns stale within seconds and comes back by itself', async ({ open, scratch, serve, startPractice }) => {
  const near = await startPractice(`${scratch}/near`)
  const kubeconfig = writeContexts(`${scratch}/kubeconfig`, [{ name: 'near', kubeconfig: near.kubeconfig }])
  const slipway = await serve(
    `${scratch}/state`,
    ['--project', exampleProject(scratch), '--cluster', 'near'],
    { KUBECONFIG: kubeconfig },
  )
  try {
    const page = await open(slipway.link('/setup'))
    const setup = new SetupPage(page)
    await setup.expectInUse('near')
    process.kill(near.pid, 'SIGSTOP')
    await expect(page.getByRole('article', { name: 'The cluster near does not answer' }).first()).toBeVisible()
    process.kill(near.pid, 'SIGCONT')
    await expect(page.getByRole('article', { name: 'The cluster near does not answer' })).toHaveCount(0)
    await setup.expectReady('Cluster')
  } finally {
    process.kill(near.pid, 'SIGCONT')
  }
})
