import { LivePage } from './pages/live-page.ts'
import { Panel, send } from './support/panel.ts'
import { expect, expectAccessible, test } from './support/test.ts'

test('what runs is scaled, rolled back, read, forwarded and replaced from the Live page', async ({ open, start }) => {
  const slipway = await start()
  const panel = new Panel(slipway.url.origin, slipway.token)
  await panel.walk()
  const page = await open(slipway.link('/live'))
  const live = new LivePage(page)
  const backend = live.component('backend')
  await live.expectReady('backend')

  await test.step('scaling: a number, and as many pods', async () => {
    await backend.getByRole('textbox', { name: 'Pods of backend' }).fill('2')
    await live.button('Scale backend').click()
    await live.expectRun('Scale', 'Succeeded')
    await expect(backend).toContainText('2of 2 pods ready')
    await expect(live.pods('backend')).toHaveCount(2)
  })

  await test.step('going back to the revision before', async () => {
    await expect(live.button('Roll back backend')).toHaveCount(0)
    await live.button('Restart backend').click()
    await live.confirm('Restart')
    await live.expectRun('Restart', 'Succeeded')
    await live.button('Roll back backend').click()
    await expect(page.getByRole('dialog', { name: 'Roll backend back to revision 1?' })).toBeVisible()
    await live.confirm('Roll back')
    await live.expectRun('Undo', 'Succeeded')
    await expect(backend).toContainText('Revision3')
  })

  await test.step('YAML by a link, with secret values hidden, and closed by Escape', async () => {
    await live.button('YAML of Deployment backend').click()
    const yaml = live.yaml('Deployment backend')
    await expect(yaml.getByRole('region')).toContainText('kind: Deployment')
    await expect(yaml.getByRole('region')).not.toContainText('managedFields')
    await expect(page).toHaveURL(/\/live\?yaml=Deployment\/backend$/)
    await yaml.getByRole('button', { name: 'Show everything' }).click()
    await expect(yaml.getByRole('region')).toContainText('managedFields')
    await expectAccessible(page)
    await page.keyboard.press('Escape')
    await expect(yaml).toBeHidden()
    await expect(page).toHaveURL(/\/live$/)
    const linked = await open(slipway.link('/live?yaml=Secret/todo-secrets'))
    const secret = new LivePage(linked).yaml('Secret todo-secrets')
    await expect(secret.getByRole('region')).toContainText('AUTH_SECRET: •••')
  })

  await test.step('a forward shows its URL, and outlives the pod behind it', async () => {
    await live.button('Forward port 8000 of backend').click()
    const forward = live.forward('backend')
    const url = (await forward.getByRole('link').getAttribute('href'))!
    expect((await send(`${url}health`)).status).toBe(200)
    await expect(forward).toContainText(/last to backend-/)
    const before = Object.values((await panel.state()).pods).map(({ name }) => name)
    const name = (await forward.textContent())!.match(/last to (backend-[a-z0-9]+-[a-z0-9]+)/)![1]!
    await live.button(`Delete pod ${name}`).click()
    await expect(page.getByRole('dialog')).toContainText(/ReplicaSet backend-\w+ makes a new pod at once/)
    await live.confirm('Delete')
    await live.expectRun('Delete a pod', 'Succeeded')
    await expect(live.button(`Delete pod ${name}`)).toHaveCount(0)
    await expect(live.pods('backend')).toHaveCount(2)
    expect(before).toContain(name)
    expect((await send(`${url}health`)).status).toBe(200)
    await expectAccessible(page)
    await live.button('Stop forwarding port 8000 of backend').click()
    await expect(forward).toHaveCount(0)
    await expect.poll(() => send(`${url}health`).then(() => 'answers', () => 'silent')).toBe('silent')
  })

  await test.step('the map shows what hangs together, and leads to the objects', async () => {
    await live.tab('Map').click()
    await expect(page).toHaveURL(/\/live\?tab=map$/)
    await expect(live.node('Deployment', 'backend')).toContainText('Ready · 2 of 2 ready')
    await expect(live.node('Pod', 'backend-')).toHaveCount(2)
    await expect(live.node('Secret', 'todo-secrets')).toContainText('There')
    await expectAccessible(page)
    await live.node('Service', 'backend').focus()
    await page.keyboard.press('Enter')
    await expect(live.yaml('Service backend').getByRole('region')).toContainText('kind: Service')
  })
})
