import { writeFileSync } from 'node:fs'
import { word, type OneOf } from './support/panel.ts'
import { exampleProject, run } from './support/slipway.ts'
import { expect, test } from './support/test.ts'

interface Check {
  id: string
  need: 'required' | 'optional'
  state: string
}

test('without a browser: check, up and down', async ({ openai, scratch }) => {
  const project = exampleProject(scratch, openai.url)
  const stateDir = `${scratch}/state`
  const target = ['--project', project, '--cluster', 'practice']

  await test.step('check says as JSON that everything needed is here', async () => {
    const { code, stdout } = await run(stateDir, ['check', ...target, '--json'])
    expect(code).toBe(0)
    const { passed, checks } = JSON.parse(stdout) as { passed: boolean; checks: Check[] }
    expect(passed).toBe(true)
    const required = checks.filter(({ need }) => need === 'required')
    expect(required.map(({ id }) => id)).toEqual(expect.arrayContaining(['project', 'cluster', 'build-tools']))
    expect(required.map(({ state }) => state)).toEqual(required.map(() => 'ok'))
  })

  await test.step('up goes the whole walk and prints every event as a line of JSON', async () => {
    const file = `${scratch}/secrets.env`
    writeFileSync(file, 'DATABASE_URL="sqlite:///data/headless.db?mode=rwc"\nOPENAI_API_KEY=sk-headless-0123456789\n', { mode: 0o600 })
    const { code, stdout, stderr } = await run(stateDir, ['up', ...target, '--json', '--secrets-from', file])
    expect(code, stderr).toBe(0)
    expect(stderr).toMatch(/Healthy after .+ Open http:\/\/\S+/)
    const events = stdout.trim().split('\n').map((line) => JSON.parse(line) as Record<string, { ending: { outcome: OneOf } }>)
    const endings = events.flatMap((event) => event['run-ended'] ?? [])
    expect(endings.map(({ ending }) => word(ending.outcome))).toEqual(['succeeded', 'succeeded'])
    expect(stdout + stderr).not.toContain('sk-headless-0123456789')
    expect(stdout + stderr).not.toContain('sqlite:///data/headless.db?mode=rwc')
  })

  await test.step('down without a yes removes nothing where there is nobody to ask', async () => {
    const { code, stderr } = await run(stateDir, ['down', ...target])
    expect(code).toBe(1)
    expect(stderr).toContain('NOT_CONFIRMED')
  })

  await test.step('down --yes names what it removes, and then there is nothing more', async () => {
    const { code, stdout, stderr } = await run(stateDir, ['down', ...target, '--yes'])
    expect(code, stderr).toBe(0)
    expect(stdout).toContain('Deployment backend in todo')
    expect(stdout).toContain('Deployment frontend in todo')
    const again = await run(stateDir, ['down', ...target, '--yes'])
    expect(again.code).toBe(0)
    expect(again.stdout).toContain('Nothing of this project is deployed')
  })
})

test('up says what is missing and leaves with the exit code for it', async ({ scratch }) => {
  const project = exampleProject(scratch)
  const target = ['--project', project, '--cluster', 'nowhere']
  const { code, stderr } = await run(`${scratch}/state`, ['up', ...target])
  expect(code).toBe(3)
  expect(stderr).toContain('There is no context nowhere')
})
