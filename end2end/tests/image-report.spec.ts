import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ImagesPage } from './pages/images-page.ts'
import { expect, expectAccessible, test } from './support/test.ts'

/** A project with one component that is packed without Docker, and a Dockerfile with faults. */
function project(folder: string): string {
  const root = join(folder, 'small')
  mkdirSync(join(root, 'app'), { recursive: true })
  writeFileSync(
    join(root, 'slipway.toml'),
    [
      '[project]',
      'name = "small"',
      '[[component]]',
      'name = "app"',
      'port = 8000',
      'dockerfile = "app/Dockerfile"',
      '[component.pack]',
      'build = ["sh", "-c", "cp /bin/sleep program"]',
      'binary = "app/program"',
      '',
    ].join('\n'),
  )
  writeFileSync(join(root, 'app/main.txt'), 'one')
  writeFileSync(join(root, 'app/Dockerfile'), 'FROM debian\nENV API_TOKEN hunter2hunter2\nCOPY . .\nCMD sleep 9\n')
  return root
}

test('the report tells what is in an image, what its Dockerfile could do better, and that the sources changed', async ({
  open,
  scratch,
  start,
}) => {
  const root = project(scratch)
  const slipway = await start({ project: root })
  const page = await open(slipway.link('/images'))
  const images = new ImagesPage(page)

  await test.step('Before the build: the sources and the hints', async () => {
    await expect(images.part('app', 'Sources')).toContainText('Not built from yet')
    await expect(images.part('app', 'Dockerfile')).toContainText('debian has no tag')
    await images.hint('app', 'API_TOKEN is set to what looks like a secret').click()
    await expect(images.part('app', 'Dockerfile')).toContainText('ENV API_TOKEN=•••')
    await expect(page.getByText('hunter2')).toHaveCount(0)
  })

  await test.step('After it: what was checked, and what takes the space', async () => {
    await images.build()
    await images.expectProof('1 of 1 images are in the cluster', 60_000)
    await expect(images.part('app', 'Checks')).toContainText('Runs as 65532:65532, not as root')
    await expect(images.part('app', 'Checks')).toContainText('8000, as slipway.toml says')
    await expect(images.part('app', 'Layers')).toContainText('The program and its files')
    await expect(images.part('app', 'Sources')).toContainText('Unchanged since the build')
    await expectAccessible(page)
  })

  await test.step('A change of the sources makes the step stale, and building again makes it done', async () => {
    writeFileSync(join(root, 'app/main.txt'), 'two')
    await expect(images.part('app', 'Sources')).toContainText('1 change since the build', { timeout: 30_000 })
    await images.walk.expectStep('Images', 'Stale')
    await expect(page.getByText('Changed since the image was built: app (main.txt)').first()).toBeVisible()
    await images.build()
    await images.expectProof('1 of 1 images are in the cluster', 60_000)
    await expect(images.part('app', 'Sources')).toContainText('Unchanged since the build')
  })
})
