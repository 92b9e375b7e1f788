import { randomInt } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { startPostgres } from './support/postgres.ts'
import { changeFile, exampleProject, run } from './support/slipway.ts'
import { expect, test } from './support/test.ts'

const VISITORS = 6

/** A visitor who writes todos down one after the other, until told to stop. */
async function write(app: string, name: string, stop: AbortSignal) {
  const page = await fetch(app)
  const cookie = page.headers.get('set-cookie')!.split(';')[0]!
  const ask = async (method: string, path: string, body?: unknown) =>
    await fetch(`${app}/api/${path}`, {
      method,
      headers: { cookie, 'content-type': 'application/json' },
      body: body === undefined ? undefined : JSON.stringify(body),
    })
  const written: string[] = []
  const failed: string[] = []
  for (let number = 0; !stop.aborted; number++) {
    const title = `${name} ${number}`
    const answer = await ask('POST', 'todos', { title }).catch((error: Error) => error)
    if (answer instanceof Error) failed.push(`${title}: ${String(answer.cause ?? answer)}`)
    else if (answer.status !== 201) failed.push(`${title}: ${answer.status} ${await answer.text()}`)
    else {
      const { id } = (await answer.json()) as { id: number }
      written.push(title)
      // A list has a limit, so most of them go again; the last ones stay and are counted.
      if (written.length > 20) {
        written.pop()
        const gone = await ask('DELETE', `todos/${id}`).catch((error: Error) => error)
        if (gone instanceof Error || gone.status !== 204) failed.push(`${title}: not deleted`)
      }
    }
  }
  const list = (await (await ask('GET', 'todos')).json()) as { todos: { title: string }[] }
  return { written, failed, listed: list.todos.map(({ title }) => title) }
}

test('a rolling update of both components under load loses no request and no todo', async ({ scratch, startPractice }) => {
  const port = randomInt(20_000, 29_000)
  const project = exampleProject(scratch, undefined, port)
  for (const file of ['k8s/20-backend.yaml', 'k8s/30-frontend.yaml']) {
    changeFile(join(project, file), 'replicas: 1', 'replicas: 2')
  }
  const stateDir = `${scratch}/state`
  const postgres = await startPostgres(scratch)
  await startPractice(stateDir)
  try {
    const secrets = `${scratch}/secrets.env`
    writeFileSync(secrets, `DATABASE_URL="${postgres.url}"\n`, { mode: 0o600 })
    const up = ['up', '--project', project, '--cluster', 'practice', '--secrets-from', secrets]
    // Two backends start at once on an empty database.
    const first = await run(stateDir, up)
    expect(first.code, first.stderr).toBe(0)

    const stop = new AbortController()
    const visitors = Array.from({ length: VISITORS }, (_, visitor) =>
      write(`http://127.0.0.1:${port}`, `visitor ${visitor}`, stop.signal),
    )
    for (const file of ['k8s/20-backend.yaml', 'k8s/30-frontend.yaml']) {
      changeFile(join(project, file), 'terminationGracePeriodSeconds: 30', 'terminationGracePeriodSeconds: 31')
    }
    const second = await run(stateDir, up)
    expect(second.code, second.stderr).toBe(0)
    stop.abort()

    for (const { written, failed, listed } of await Promise.all(visitors)) {
      expect(failed).toEqual([])
      expect(written.length).toBeGreaterThan(0)
      expect(listed.toSorted()).toEqual(written.toSorted())
    }
  } finally {
    await postgres.stop()
  }
})
