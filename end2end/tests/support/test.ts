import { join } from 'node:path'
import AxeBuilder from '@axe-core/playwright'
import { expect, test as base, type BrowserContext, type Page } from '@playwright/test'
import { startOpenAi, type OpenAi } from './openai.ts'
import { Panel } from './panel.ts'
import { podProcesses } from './processes.ts'
import { exampleProject, Practice, scratchFolder, Slipway } from './slipway.ts'

/** A Slipway with the example deployed on its practice cluster, shared by the tests of a worker. */
export interface Deployed {
  slipway: Slipway
  panel: Panel
  project: string
}

interface TestFixtures {
  /**
   * Opens a link in a browser context of its own; any console or page error fails the test,
   * but for messages that the test is about.
   */
  open: (link: string, options?: { expected?: RegExp }) => Promise<Page>
  /** Starts a Slipway of this test alone on the practice cluster; it ends with the test. */
  start: (options?: { project?: string; stateDir?: string; args?: string[]; env?: Record<string, string> }) => Promise<Slipway>
  /** Starts a Slipway with these arguments and variables; it ends with the test, after its pages. */
  serve: (stateDir: string, args: string[], env?: Record<string, string>) => Promise<Slipway>
  /** Starts a practice cluster in a process of its own; it ends with the test. */
  startPractice: (stateDir: string) => Promise<Practice>
  /** A folder of this test alone. */
  scratch: string
}

interface WorkerFixtures {
  openai: OpenAi
  deployed: Deployed
}

export const test = base.extend<TestFixtures, WorkerFixtures>({
  // After `serve`, so that pages are closed before what they show.
  open: async ({ browser, serve: _ }, use) => {
    const contexts: BrowserContext[] = []
    const errors: string[] = []
    await use(async (link, { expected } = {}) => {
      const context = await browser.newContext()
      contexts.push(context)
      context.on('console', (message) => {
        if (message.type() !== 'error' || expected?.test(message.text())) return
        errors.push(`${message.location().url}: ${message.text()}`)
      })
      context.on('weberror', (error) => errors.push(String(error.error())))
      const page = await context.newPage()
      await page.goto(link)
      return page
    })
    for (const context of contexts) await context.close()
    expect(errors, 'errors in the browser').toEqual([])
  },

  scratch: async ({}, use) => {
    const folder = scratchFolder()
    await use(folder.path)
    // What a test killed leaves its pods to its next start; there is none any more.
    for (const { pid } of podProcesses(join(folder.path, 'state'))) process.kill(pid, 'SIGKILL')
    folder.remove()
  },

  serve: async ({ scratch: _ }, use) => {
    const started: Slipway[] = []
    await use(async (stateDir, args, env) => {
      const slipway = await Slipway.start(stateDir, args, env)
      started.push(slipway)
      return slipway
    })
    await Promise.all(started.map((slipway) => slipway.kill()))
  },

  start: async ({ scratch, openai, serve }, use) => {
    await use(async ({ project, stateDir = `${scratch}/state`, args = [], env = {} } = {}) => {
      const folder = project ?? exampleProject(scratch, openai.url)
      return await serve(stateDir, ['--project', folder, '--cluster', 'practice', ...args], env)
    })
  },

  startPractice: async ({ scratch: _ }, use) => {
    const started: Practice[] = []
    await use(async (stateDir) => {
      const practice = await Practice.start(stateDir)
      started.push(practice)
      return practice
    })
    await Promise.all(started.map((practice) => practice.kill()))
  },

  openai: [
    async ({}, use) => {
      const openai = await startOpenAi()
      await use(openai)
      await openai.stop()
    },
    { scope: 'worker' },
  ],

  deployed: [
    async ({ openai }, use) => {
      const folder = scratchFolder()
      const project = exampleProject(folder.path, openai.url)
      const slipway = await Slipway.start(`${folder.path}/state`, ['--project', project, '--cluster', 'practice'])
      try {
        const panel = new Panel(slipway.url.origin, slipway.token)
        await panel.walk({ OPENAI_API_KEY: 'sk-stand-in-0123456789' })
        await use({ slipway, panel, project })
      } finally {
        await slipway.kill()
        folder.remove()
      }
    },
    { scope: 'worker', timeout: 180_000 },
  ],
})

/** Fails on any serious or critical accessibility finding, in the light and in the dark. */
export async function expectAccessible(page: Page): Promise<void> {
  for (const colorScheme of ['light', 'dark'] as const) {
    // Without motion, or colours in transition would be judged.
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
    const { violations } = await new AxeBuilder({ page }).analyze()
    const serious = violations
      .filter(({ impact }) => impact === 'serious' || impact === 'critical')
      .map(({ id, help, nodes }) => ({ id, help, nodes: nodes.map(({ html, failureSummary }) => `${html}: ${failureSummary}`) }))
    expect(serious, `accessibility of ${new URL(page.url()).pathname} in the ${colorScheme}`).toEqual([])
  }
}

export { expect }
