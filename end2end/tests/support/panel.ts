import { request, type IncomingMessage } from 'node:http'
import { expect } from '@playwright/test'

/** One of several: a word, or a word with what belongs to it. */
export type OneOf = string | Record<string, unknown>

/** The word of one of several. */
export function word(value: OneOf | undefined): string | undefined {
  return typeof value === 'object' ? Object.keys(value)[0] : value
}

/** The parts of the panel's state that tests look at. */
export interface PanelState {
  steps: Partial<Record<StepName, OneOf>>
  cluster: { freshness: { lost: number | null } } | null
  secrets: { key: string; state: OneOf }[]
  images: { component: string; state: OneOf }[]
  plan: { hash: string; objects: { kind: string; name: string; change: string }[] } | null
  deployed: { revision: number } | null
  drift: { kind: string; name: string }[] | null
  runs: Record<string, Run>
  components: Record<string, { rollout: OneOf; service: { open_url: string | null } | null }>
  pods: Record<string, Pod>
  findings: { code: string; severity: string; what: string }[]
  recording: { started: number; ended: number } | null
}

export interface Pod {
  name: string
  component: string | null
  ready: boolean
  current: boolean
  terminating: boolean
  containers: { restarts: number }[]
}

export type StepName = 'setup' | 'secrets' | 'images' | 'deploy' | 'assist' | 'live'

export interface Run {
  id: number
  kind: string
  stages: { id: string; state: OneOf }[]
  lines: number
  ending: { outcome: OneOf } | null
}

/** What a plain HTTP request was answered. */
export interface Answer {
  status: number
  headers: Record<string, string | string[] | undefined>
  body: string
}

/** Sends exactly these headers; unlike `fetch`, also a foreign `Host` or `Origin`. */
export async function send(
  url: string,
  { method = 'GET', headers = {}, body = '' }: { method?: string; headers?: Record<string, string>; body?: string } = {},
): Promise<Answer> {
  const response = await ask(url, method, headers, body)
  let text = ''
  for await (const chunk of response) text += chunk
  return { status: response.statusCode!, headers: response.headers, body: text }
}

function ask(url: string, method: string, headers: Record<string, string>, body: string): Promise<IncomingMessage> {
  return new Promise((answered, failed) => {
    const asked = request(url, { method, headers, agent: false })
    asked.once('response', answered)
    asked.once('error', failed)
    asked.end(body)
  })
}

/** Speaks to a panel the way its pages do, without a page. */
export class Panel {
  constructor(
    private readonly origin: string,
    private readonly token: string,
  ) {}

  /** The headers of our own pages. */
  headers(): Record<string, string> {
    return { authorization: `Bearer ${this.token}`, 'x-slipway': '1', 'content-type': 'application/json' }
  }

  /** Calls a server function and gives its answer, whatever its status. */
  async post(path: string, body: unknown): Promise<Answer> {
    return await send(`${this.origin}/api/${path}`, {
      method: 'POST',
      headers: this.headers(),
      body: JSON.stringify(body),
    })
  }

  /** Calls a server function that must be granted. */
  async call<T>(path: string, body: unknown): Promise<T> {
    const { status, body: text } = await this.post(path, body)
    if (status !== 200) throw new Error(`${path} was refused with ${status}: ${text}`)
    return JSON.parse(text) as T
  }

  /** The raw stream, as bytes. */
  async stream(): Promise<IncomingMessage> {
    const response = await ask(`${this.origin}/events`, 'GET', this.headers(), '')
    if (response.statusCode !== 200) throw new Error(`the stream was refused with ${response.statusCode}`)
    return response
  }

  /** The whole state as of now: the first message of a new stream. */
  async state(): Promise<PanelState> {
    const stream = await this.stream()
    let text = ''
    stream.setEncoding('utf8')
    for await (const chunk of stream) {
      text += chunk
      const end = text.indexOf('\n\n')
      if (end < 0) continue
      stream.destroy()
      const message = JSON.parse(text.slice('data: '.length, end)) as { snapshot?: { state: PanelState } }
      expect(message.snapshot, 'the first message').toBeDefined()
      return message.snapshot!.state
    }
    throw new Error('the stream ended before its first message')
  }

  /** Waits until the state is as wished; the last look is told when it never is. */
  async until(what: string, wish: (state: PanelState) => boolean, withinMs = 60_000): Promise<PanelState> {
    const deadline = Date.now() + withinMs
    for (;;) {
      const state = await this.state()
      if (wish(state)) return state
      if (Date.now() > deadline) {
        const { steps, findings, runs } = state
        throw new Error(`never came to be: ${what}\n${JSON.stringify({ steps, findings, runs: lastRun(runs) }, null, 1)}`)
      }
      await new Promise((soon) => setTimeout(soon, 100))
    }
  }

  async untilDone(...steps: StepName[]): Promise<PanelState> {
    return await this.until(`${steps.join(', ')} done`, (state) => steps.every((step) => isDone(state, step)))
  }

  async setSecret(key: string, value: string): Promise<void> {
    await this.call('secrets/set', { key, value })
  }

  /** Waits for the end of a run that must succeed. */
  async untilSucceeded(run: number, withinMs = 120_000): Promise<PanelState> {
    const state = await this.until(`run ${run} ended`, (state) => !!state.runs[run]?.ending, withinMs)
    expect(word(state.runs[run]!.ending!.outcome), `run ${run}`).toBe('succeeded')
    return state
  }

  async build(): Promise<void> {
    await this.untilSucceeded(await this.call<number>('images/build', { components: [] }))
    await this.untilDone('images')
  }

  /** Makes the plan and starts to deploy it; gives the run. */
  async startDeploy(): Promise<number> {
    const plan = await this.call<{ hash: string }>('deploys/plan', {})
    return await this.call<number>('deploys/deploy', { plan_hash: plan.hash, prune: true })
  }

  /** The walk up to the plan, with the values a rehearsal needs. */
  async walkToDeploy(secrets: Record<string, string> = {}): Promise<void> {
    await this.untilDone('setup')
    await this.setSecret('DATABASE_URL', secrets.DATABASE_URL ?? 'sqlite:///data/todo.db?mode=rwc')
    if (secrets.OPENAI_API_KEY) await this.setSecret('OPENAI_API_KEY', secrets.OPENAI_API_KEY)
    if (secrets.AUTH_SECRET) await this.setSecret('AUTH_SECRET', secrets.AUTH_SECRET)
    else await this.call('secrets/generate', { key: 'AUTH_SECRET' })
    await this.untilDone('secrets')
    await this.build()
  }

  /** The whole walk. */
  async walk(secrets: Record<string, string> = {}): Promise<void> {
    await this.walkToDeploy(secrets)
    await this.untilSucceeded(await this.startDeploy())
    await this.untilDone('setup', 'secrets', 'images', 'deploy', 'assist', 'live')
  }
}

export function isDone(state: PanelState, step: StepName): boolean {
  return word(state.steps[step]) === 'done'
}

function lastRun(runs: Record<string, Run>): Run | undefined {
  return Object.values(runs).at(-1)
}
