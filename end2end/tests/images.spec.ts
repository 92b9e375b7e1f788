import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ImagesPage } from './pages/images-page.ts'
import { SetupPage } from './pages/setup-page.ts'
import { Dockerd, findProgram, staticProgram } from './support/dockerd.ts'
import { example } from './support/slipway.ts'
import { expect, expectAccessible, test } from './support/test.ts'

const COMPONENTS = ['backend', 'frontend'] as const

/** Builds offline: nothing is in it but a program and a text. */
function dockerfile(run: string[]): string {
  return [
    'FROM scratch AS base',
    'COPY program /program',
    'COPY mark /mark',
    `RUN ${JSON.stringify(['/program', ...run])}`,
    'FROM base',
    'USER 65532:65532',
    'ENTRYPOINT ["/program"]',
    '',
  ].join('\n')
}

/** Two components that Docker builds. */
function dockerProject(folder: string): string {
  const root = join(folder, 'small')
  const components = COMPONENTS.map((name) => {
    mkdirSync(join(root, name), { recursive: true })
    staticProgram(join(root, name, 'program'))
    // Layers of its own, so that nothing comes from an earlier test.
    writeFileSync(join(root, name, 'mark'), `${name} of ${folder}`)
    writeFileSync(join(root, name, 'Dockerfile'), dockerfile(['say', `made ${name}`]))
    return `[[component]]\nname = "${name}"\nport = 8000\ndockerfile = "${name}/Dockerfile"\n`
  })
  writeFileSync(join(root, 'slipway.toml'), `[project]\nname = "small"\n${components.join('')}`)
  return root
}

test('from an empty machine to two images that Docker built and the cluster was seen to have', async ({
  open,
  scratch,
  serve,
  startPractice,
}) => {
  const engine = await Dockerd.start()
  const bin = join(scratch, 'bin')
  mkdirSync(bin)
  const project = dockerProject(scratch)
  // Another practice cluster's API server plays the one inside minikube's node.
  const inside = await startPractice(join(scratch, 'inside'))
  const scenario = join(scratch, 'scenario.json')
  writeFileSync(scenario, JSON.stringify({ step_ms: 20, api_kubeconfig: inside.kubeconfig, docker_env: engine.dockerEnv }))
  const slipway = await serve(join(scratch, 'state'), ['--project', project], {
    PATH: bin,
    HOME: scratch,
    KUBECONFIG: join(scratch, 'kubeconfig'),
    MINIKUBE_HOME: join(scratch, 'home'),
    STANDIN_MINIKUBE: scenario,
    DOCKER_HOST: engine.reached.host,
    DOCKER_CONFIG: engine.reached.configWithBuildx,
  })
  try {
    const page = await open(slipway.link('/setup'))
    const setup = new SetupPage(page)
    await test.step('Setup: nothing is here, then Docker and minikube are, then a cluster', async () => {
      // Nothing else can build these images.
      await expect(setup.check('Docker').getByText('Missing', { exact: true })).toBeVisible()
      await setup.expectMissing('minikube')
      symlinkSync(findProgram('docker'), join(bin, 'docker'))
      symlinkSync(example('standin-minikube'), join(bin, 'minikube'))
      await setup.expectReady('Docker', 'minikube')
      await setup.createCluster()
      await expect(setup.run('Start the cluster')).toContainText('Succeeded', { timeout: 60_000 })
      await setup.expectInUse('minikube')
      await setup.walk.expectStep('Setup', 'Done')
    })

    const images = new ImagesPage(page)
    const reference = (component: string, pattern = '[0-9a-f]{12}') =>
      images.image(component).getByText(new RegExp(`^small-${component}:${pattern}$`))
    await test.step('Images: both are built in the cluster’s own daemon and read back from there', async () => {
      await images.walk.goTo('Images')
      for (const component of COMPONENTS) await expect(images.image(component)).toContainText('Not built')
      await images.build()
      await images.expectProof('2 of 2 images are in the cluster', 90_000)
      for (const component of COMPONENTS) {
        await images.expectInCluster(component)
        await expect(images.image(component)).toContainText('read back from the docker daemon of minikube profile minikube')
        const name = await reference(component).innerText()
        const id = engine.docker('image', 'inspect', '--format', '{{.Id}}', name)
        await expect(images.image(component)).toContainText(id.slice(0, 'sha256:'.length + 12))
        await images.showSteps(component)
        await expect(images.steps(component)).toContainText('COPY program /program')
      }
      await expectAccessible(page)
    })

    await test.step('The whole log is searched', async () => {
      await images.searchLog('made frontend')
      await expect(images.linesFound()).toContainText('made frontend')
      await images.searchLog('nobody said this')
      await expect(images.run('Build images')).toContainText('No line has “nobody said this” in it')
    })

    await test.step('A second build has nothing to do and says so', async () => {
      const before = await reference('backend').innerText()
      await images.build()
      await expect(images.run('Build images')).toContainText('2 images were already built and in the cluster')
      await expect(images.run('Build images')).toContainText(`the sources are those of ${before}`)
      for (const component of COMPONENTS) {
        await expect(images.image(component)).toContainText('Already built and in the cluster')
      }
      await expect(reference('backend')).toHaveText(before)
      await expectAccessible(page)
    })

    await test.step('Built anyway, it is another image under a tag of its own', async () => {
      await images.button('Build anyway: backend').click()
      await expect(reference('backend', '[0-9a-f]{12}-[0-9a-f]{4}')).toBeVisible({ timeout: 60_000 })
      await images.expectInCluster('backend')
    })

    await test.step('One build is cancelled, the other goes on', async () => {
      writeFileSync(join(project, 'backend/Dockerfile'), dockerfile(['sleep', '600']))
      writeFileSync(join(project, 'frontend/mark'), `another of ${scratch}`)
      await images.build()
      await expect(images.steps('backend').getByRole('listitem').filter({ hasText: '"sleep"' }).last()).toContainText('Running', {
        timeout: 60_000,
      })
      await images.button('Cancel the build of backend').click()
      await expect(images.image('backend')).toContainText('The last build was cancelled', { timeout: 60_000 })
      await expect(images.run('Build images')).toContainText('1 image is built and in the cluster; the build of backend was cancelled')
      await images.expectInCluster('frontend')
      await images.walk.expectStep('Images', 'Stale')
    })
  } finally {
    engine.stop()
  }
})
