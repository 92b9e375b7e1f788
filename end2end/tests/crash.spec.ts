import { DeployPage } from './pages/deploy-page.ts'
import { askCluster, isComplete, type Deployment } from './support/kube.ts'
import { isDone, Panel, word, type PanelState } from './support/panel.ts'
import { isAlive, podProcesses } from './support/processes.ts'
import { expect, test } from './support/test.ts'

test('after a SIGKILL in the middle of a deploy the next start tells the truth and finishes the job', async ({
  open,
  scratch,
  start,
}) => {
  const stateDir = `${scratch}/state`
  const first = await start({ stateDir })
  const panel = new Panel(first.url.origin, first.token)
  await panel.walkToDeploy()

  const run = await panel.startDeploy()
  const underWay = await panel.until(
    'pods run while the deploy goes on',
    (state) => !!state.runs[run]?.ending || podProcesses(stateDir).length > 0,
  )
  expect(underWay.runs[run]!.ending, 'the deploy is not over yet').toBeNull()
  const pods = podProcesses(stateDir)
  expect(pods.length, 'processes of pods').toBeGreaterThan(0)
  await first.kill('SIGKILL')

  const second = await start({ stateDir, project: `${scratch}/todo-chatbot` })
  const again = new Panel(second.url.origin, second.token)
  const kubeconfig = `${stateDir}/practice/kubeconfig`
  const told: string[] = []
  const seen = await again.until('the interrupted run is told', (state) => {
    told.push(...lies(state))
    return word(state.runs[run]?.ending?.outcome) === 'interrupted' && isDone(state, 'setup')
  })
  expect(seen.runs[run]!.stages.filter(({ state }) => word(state) === 'running'), 'stages still running').toEqual([])

  await expect.poll(() => pods.filter(isAlive), { message: 'pods of the killed Slipway' }).toEqual([])

  const page = await open(second.link('/deploy'))
  const deploy = new DeployPage(page)
  await deploy.expectEnding('Interrupted')
  await expect(deploy.deployRun()).toContainText('Slipway ended while this was going')

  // Whatever the page calls done from here on has to be so in the cluster itself.
  const settled = await again.until('the deploy can be made again', (state) => {
    told.push(...lies(state))
    return ['secrets', 'images'].every((step) => isDone(state, step as 'secrets'))
  })
  if (isDone(settled, 'deploy')) {
    const { items } = await askCluster<{ items: Deployment[] }>(kubeconfig, '/apis/apps/v1/namespaces/todo/deployments')
    expect(items.map(({ metadata }) => metadata.name).sort()).toEqual(['backend', 'frontend'])
    expect(items.filter((item) => !isComplete(item)), 'called done and not complete').toEqual([])
  }

  await deploy.refreshButton().click()
  await deploy.deploy()
  await deploy.expectEnding('Succeeded', 60_000)
  await deploy.walk.expectStep('Deploy', 'Done')
  await deploy.walk.expectStep('Live', 'Done', 30_000)
  const { items } = await askCluster<{ items: Deployment[] }>(kubeconfig, '/apis/apps/v1/namespaces/todo/deployments')
  expect(items.map(isComplete)).toEqual([true, true])
  expect(told, 'green that was not so').toEqual([])
})

/** What a state calls done although what it also says contradicts it. */
function lies(state: PanelState): string[] {
  const found: string[] = []
  const components = Object.entries(state.components)
  const incomplete = components.filter(([, { rollout }]) => word(rollout) !== 'complete').map(([name]) => name)
  if (isDone(state, 'deploy') && (components.length < 2 || incomplete.length > 0)) {
    found.push(`Deploy is done, and not complete are: ${incomplete.join(', ') || 'components that are not there'}`)
  }
  const notReady = Object.values(state.pods).filter((pod) => pod.current && !pod.terminating && !pod.ready)
  if (isDone(state, 'live') && (Object.keys(state.pods).length < 2 || notReady.length > 0)) {
    found.push(`Live is done, and not ready are: ${notReady.map(({ name }) => name).join(', ') || 'pods that are not there'}`)
  }
  if (isDone(state, 'images') && state.images.some((image) => word(image.state) !== 'in-cluster')) {
    found.push('Images is done, and an image is not in the cluster')
  }
  if (isDone(state, 'setup') && state.cluster?.freshness.lost) found.push('Setup is done, and the cluster is lost')
  return found
}
