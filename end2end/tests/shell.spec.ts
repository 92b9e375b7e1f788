import { chmodSync, mkdirSync, readFileSync, realpathSync, symlinkSync, writeFileSync } from 'node:fs'
import { delimiter, join, resolve } from 'node:path'
import { AssistPage } from './pages/assist-page.ts'
import { LivePage } from './pages/live-page.ts'
import { Terminal } from './pages/terminal.ts'
import { Panel } from './support/panel.ts'
import { changeFile, exampleProject } from './support/slipway.ts'
import { expect, expectAccessible, test } from './support/test.ts'

test('a shell is opened, typed into, found again after a reload, and ended', async ({ open, openai, scratch, start }) => {
  const project = exampleProject(scratch, openai.url)
  const programs = ['/bin/sh', '/bin/stty'].map((path) => `"${realpathSync(path)}" = "${path}"`)
  const binary = 'binary = "target/release/todo-backend"'
  changeFile(join(project, 'slipway.toml'), binary, `${binary}\nfiles = { ${programs.join(', ')} }`)
  const slipway = await start({ project })
  const panel = new Panel(slipway.url.origin, slipway.token)
  await panel.walk()
  const page = await open(slipway.link('/live'))
  const live = new LivePage(page)
  await live.expectReady('backend')
  const dialog = page.getByRole('dialog', { name: /^Shell in backend of backend-/ })
  const shell = new Terminal(page, dialog)

  await test.step('a press opens it, and what is typed is answered', async () => {
    await page.getByRole('button', { name: /^Shell in backend of backend-/ }).click()
    await shell.expectStanding('Open')
    await expect(page).toHaveURL(/\/live\?shell=backend-[a-z0-9-]+\/backend$/)
    await expect(shell.field()).toBeFocused()
    await shell.expectShown('$')
    await shell.type('echo answer-$((6*7))')
    await shell.expectShown('answer-42')
  })

  await test.step('a secret value is dots, also where the row ends', async () => {
    await shell.type('echo "[$AUTH_SECRET]"')
    await shell.expectShown(/\[•{32,}\]/)
  })

  await test.step('keys go to the program, and one combination out of it', async () => {
    await shell.type('read word')
    await page.keyboard.press('Escape')
    await page.keyboard.press('Control+k')
    await expect(dialog).toBeVisible()
    await expect(page.getByRole('dialog')).toHaveCount(1)
    await page.keyboard.press('Control+c')
    await shell.expectShown(/\^C\s*\$/)
    await shell.type('echo code-$?')
    await shell.expectShown('code-130')
    await page.keyboard.press('Control+Shift+Enter')
    await expect(shell.button('Copy text of the terminal')).toBeFocused()
    await shell.field().focus()
  })

  await test.step('it has the size of the window', async () => {
    await shell.expectSize((rows, columns) => columns > 70 && rows > 10)
    await page.setViewportSize({ width: 420, height: 800 })
    await shell.expectSize((_, columns) => columns < 60)
    await expect(dialog.getByRole('group', { name: 'Keys' })).toBeVisible()
    await page.setViewportSize({ width: 1280, height: 800 })
    await expectAccessible(page)
  })

  await test.step('a page that is loaded anew has its screen back', async () => {
    await shell.field().focus()
    await shell.type(String.raw`printf '\033c'; echo before-$((1+1))`)
    await shell.expectShown('before-2')
    await page.reload()
    await shell.expectShown('before-2')
    await shell.expectStanding('Open')
    await shell.field().focus()
    await shell.type('echo after-$((2+2))')
    await shell.expectShown('after-4')
  })

  await test.step('its end is told, and there can be another one', async () => {
    await shell.type('exit 3')
    await shell.expectStanding('Ended with exit code 3')
    await shell.button('Start again').click()
    await shell.expectStanding('Open')
    await shell.expectShown('$')
    await shell.button('End session').click()
    await shell.expectStanding('Closed')
    await expect(dialog).toContainText('You closed it.')
    await dialog.getByRole('button', { name: 'Close', exact: true }).click()
    await expect(dialog).toBeHidden()
    await expect(page).toHaveURL(/\/live$/)
  })

  await test.step('a link opens the window and no shell; an image without one is told as such', async () => {
    const { pods } = await panel.state()
    const frontend = Object.values(pods).find(({ component }) => component === 'frontend')!.name
    const linked = await open(slipway.link(`/live?shell=${frontend}/frontend`))
    const other = new Terminal(linked, linked.getByRole('dialog', { name: `Shell in frontend of ${frontend}` }))
    await other.expectStanding('Not open')
    await expectAccessible(linked)
    await other.button('Open a shell').click()
    await expect(linked.getByRole('article', { name: 'Container frontend has no shell' })).toBeVisible()
  })
})

test('Gordon is asked in a terminal, with the text seen first, and answered by a person alone', async ({ open, scratch, start }) => {
  const plugins = join(scratch, 'config/cli-plugins')
  const bin = join(scratch, 'bin')
  for (const folder of [plugins, bin]) mkdirSync(folder, { recursive: true })
  symlinkSync(resolve(import.meta.dirname, '../../server/tests/standins/docker-ai'), join(plugins, 'docker-ai'))
  const docker = join(bin, 'docker')
  writeFileSync(docker, `#!/bin/sh\n[ "$1" = ai ] && exec "${plugins}/docker-ai" "$@"\nexit 1\n`)
  chmodSync(docker, 0o755)
  const log = join(scratch, 'gordon.log')
  const env = { PATH: `${bin}${delimiter}${process.env.PATH}`, DOCKER_CONFIG: join(scratch, 'config'), GORDON_LOG: log }
  const slipway = await start({ env })
  const panel = new Panel(slipway.url.origin, slipway.token)
  await panel.until('the practice cluster is in use', ({ cluster }) => cluster !== null)
  const page = await open(slipway.link('/assist'))
  const desk = new AssistPage(page).desk()
  const gordon = new Terminal(page, desk)
  await desk.getByText('Gordon', { exact: true }).click()
  await gordon.expectStanding('Not open')
  await expectAccessible(page)

  await test.step('nothing is started before the text was seen', async () => {
    await new AssistPage(page).question().fill('Why is nothing deployed?')
    await gordon.button('Read what will be sent, then open it here').click()
    const seen = page.getByRole('dialog', { name: 'What Gordon would be sent' })
    await expect(seen.getByLabel('The whole text')).toContainText('Why is nothing deployed?')
    expect(() => readFileSync(log), 'nothing was started').toThrow()
    await seen.getByRole('button', { name: 'Open in a terminal here' }).click()
    await gordon.expectStanding('Open')
    await gordon.expectShown('Approve? [Y/n/a]')
    expect(readFileSync(log, 'utf8')).toContain('Why is nothing deployed?')
  })

  await test.step('its question waits for a key, over a reload', async () => {
    await page.reload()
    await desk.getByText('Gordon', { exact: true }).click()
    await gordon.expectShown('Approve? [Y/n/a]')
    expect(readFileSync(log, 'utf8')).not.toContain('key=')
    await gordon.field().focus()
    await gordon.type('n')
    await gordon.expectShown('It was not run.')
    await gordon.expectStanding('Ended with exit code 4')
    expect(readFileSync(log, 'utf8')).toContain('key=n')
    await expectAccessible(page)
  })
})
