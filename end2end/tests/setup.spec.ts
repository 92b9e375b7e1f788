import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { SetupPage } from './pages/setup-page.ts'
import { example, exampleProject, Practice } from './support/slipway.ts'
import { expect, test } from './support/test.ts'

test('from a machine with nothing on its PATH to a started minikube cluster', async ({ open, scratch, serve }) => {
  const bin = join(scratch, 'bin')
  mkdirSync(bin)
  // Another practice cluster's API server plays the one inside minikube's node.
  const inside = await Practice.start(join(scratch, 'inside'))
  const scenario = join(scratch, 'scenario.json')
  writeFileSync(
    scenario,
    JSON.stringify({
      step_ms: 100,
      api_kubeconfig: inside.kubeconfig,
      start: { download: { artifact: 'preloaded-images.tar.lz4', bytes: 5_000_000 }, odd_progress: true },
    }),
  )
  const slipway = await serve(join(scratch, 'state'), ['--project', exampleProject(scratch)], {
    PATH: bin,
    HOME: scratch,
    KUBECONFIG: join(scratch, 'kubeconfig'),
    MINIKUBE_HOME: join(scratch, 'home'),
    STANDIN_MINIKUBE: scenario,
  })
  try {
    const setup = new SetupPage(await open(slipway.link('/setup')))
    await test.step('what is missing is named, with the way to get it', async () => {
      await setup.expectMissing('Docker', 'minikube', 'kubectl', 'Helm')
      await expect(setup.minikube()).toContainText('minikube is not installed')
    })
    await test.step('a program that appears on the PATH is noticed without a press', async () => {
      symlinkSync(example('standin-minikube'), join(bin, 'minikube'))
      await setup.expectReady('minikube')
    })
    await test.step('a cluster is created and then used', async () => {
      await setup.createCluster()
      await expect(setup.run('Start the cluster')).toContainText('Succeeded', { timeout: 60_000 })
      await setup.expectInUse('minikube')
      await expect(setup.profile('minikube')).toContainText('Running')
    })
    await test.step('it is paused and goes on', async () => {
      await setup.act('Pause', 'minikube')
      await expect(setup.profile('minikube')).toContainText('Paused')
      await setup.act('Unpause', 'minikube')
      await expect(setup.profile('minikube')).toContainText('Running')
    })
    await test.step('it is deleted only when its name was typed', async () => {
      await setup.deleteCluster('minikube')
      await expect(setup.minikube()).toContainText('Create your first cluster')
      expect(readFileSync(join(scratch, 'home/.minikube/calls.log'), 'utf8')).toContain('delete --profile minikube')
    })
  } finally {
    await inside.kill()
  }
})
