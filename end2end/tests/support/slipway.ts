import { spawn, type ChildProcess } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { cpSync, existsSync, mkdtempSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { createInterface } from 'node:readline'

const repository = resolve(import.meta.dirname, '../../..')
export const binary = process.env.SLIPWAY_BINARY ?? join(repository, 'target/debug/slipway')
const todoChatbot = join(repository, 'examples/todo-chatbot')
/** Programs that Cargo builds as examples stand beside the binary. */
export function example(name: string): string {
  const path = join(dirname(binary), 'examples', name)
  if (!existsSync(path)) throw new Error(`${path} is missing: run \`cargo xtask test browser\``)
  return path
}

/** How long Slipway may take to say that it is ready, on a machine that compiles beside it. */
const READY_WITHIN_MS = 30_000
/** How long it may take to end its pods and itself. */
const END_WITHIN_MS = 30_000

/** The sources of the example are linked and not copied, so that nothing is compiled twice. */
const SHARED = ['backend', 'frontend', 'target']

/**
 * A private copy of the example project whose chat talks to `openaiUrl`. Its load balancer has a port
 * of its own, because this machine has every port only once and tests run side by side.
 */
export function exampleProject(
  folder: string,
  openaiUrl = 'http://127.0.0.1:9/v1',
  loadBalancerPort = randomInt(20_000, 29_000),
): string {
  const project = join(folder, 'todo-chatbot')
  const shared = SHARED.map((name) => join(todoChatbot, name))
  cpSync(todoChatbot, project, { recursive: true, filter: (path) => !shared.includes(path) })
  for (const name of SHARED) symlinkSync(join(todoChatbot, name), join(project, name))
  changeFile(join(project, 'k8s/10-config.yaml'), /OPENAI_BASE_URL: .*/, `OPENAI_BASE_URL: "${openaiUrl}"`)
  for (const file of ['k8s/30-frontend.yaml', 'chart/values.yaml']) {
    changeFile(join(project, file), /(?<=^ +)port: 3000$/m, `port: ${loadBalancerPort}`)
  }
  return project
}

/** Replaces in a file; fails when there is nothing to replace. */
export function changeFile(file: string, what: RegExp | string, by: string) {
  const text = readFileSync(file, 'utf8')
  if (typeof what === 'string' ? !text.includes(what) : !what.test(text)) {
    throw new Error(`${file} has no ${what} to replace`)
  }
  writeFileSync(file, text.replace(what, () => by))
}

/** What a command that ended said. */
export interface Ended {
  code: number | null
  stdout: string
  stderr: string
}

function environment(stateDir: string, env: Record<string, string>): NodeJS.ProcessEnv {
  // Nothing of this machine's own clusters may leak into a test.
  const clean = Object.entries(process.env).filter(([name]) => !name.startsWith('SLIPWAY_'))
  return { ...Object.fromEntries(clean), KUBECONFIG: join(stateDir, 'no-kubeconfig'), ...env }
}

function start(stateDir: string, args: string[], env: Record<string, string>): ChildProcess {
  if (!existsSync(binary)) throw new Error(`${binary} is missing: run \`cargo xtask test browser\``)
  return spawn(binary, args, { env: environment(stateDir, env), stdio: ['ignore', 'pipe', 'pipe'] })
}

/** Runs a command of Slipway to its end. */
export async function run(
  stateDir: string,
  args: string[],
  { env = {}, withinMs = 120_000 }: { env?: Record<string, string>; withinMs?: number } = {},
): Promise<Ended> {
  const child = start(stateDir, [...args, '--state-dir', stateDir], env)
  let stdout = ''
  let stderr = ''
  child.stdout!.on('data', (chunk: Buffer) => (stdout += chunk.toString()))
  child.stderr!.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
  return await new Promise((ended, failed) => {
    const deadline = setTimeout(() => {
      child.kill('SIGKILL')
      failed(new Error(`slipway ${args.join(' ')} did not end in ${withinMs} ms:\n${stdout}${stderr}`))
    }, withinMs)
    child.once('close', (code) => {
      clearTimeout(deadline)
      ended({ code, stdout, stderr })
    })
  })
}

/** A Slipway that goes on until it is ended. */
abstract class Going {
  protected constructor(
    readonly stateDir: string,
    private readonly child: ChildProcess,
    private readonly said: string[],
  ) {}

  get pid(): number {
    return this.child.pid!
  }

  /** Everything it printed so far. */
  output(): string {
    return this.said.join('')
  }

  /** Sends a signal and waits for the end; one that does not come is a failure. */
  async kill(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return
    const ended = new Promise<void>((done) => this.child.once('exit', () => done()))
    this.child.kill(signal)
    let deadline: NodeJS.Timeout | undefined
    const late = new Promise<'late'>((done) => (deadline = setTimeout(() => done('late'), END_WITHIN_MS)))
    const how = await Promise.race([ended, late])
    clearTimeout(deadline)
    if (how !== 'late') return
    this.child.kill('SIGKILL')
    throw new Error(`slipway did not end within ${END_WITHIN_MS} ms of ${signal}:\n${this.output()}`)
  }

  /** Starts it and waits for the line that says it is ready; gives that line's first group. */
  protected static async ready(child: ChildProcess, said: string[], line: RegExp): Promise<string> {
    child.stderr!.on('data', (chunk: Buffer) => said.push(chunk.toString()))
    const lines = createInterface({ input: child.stdout! })
    return await new Promise<string>((found, failed) => {
      const deadline = setTimeout(() => {
        child.kill('SIGKILL')
        failed(new Error(`slipway was not ready in ${READY_WITHIN_MS} ms:\n${said.join('')}`))
      }, READY_WITHIN_MS)
      lines.on('line', (text) => {
        said.push(`${text}\n`)
        const match = line.exec(text)
        if (!match) return
        clearTimeout(deadline)
        found(match[1]!)
      })
      child.once('exit', (code) => {
        clearTimeout(deadline)
        failed(new Error(`slipway ended with ${code}:\n${said.join('')}`))
      })
    })
  }
}

/** A running panel with its own state folder. */
export class Slipway extends Going {
  private constructor(readonly url: URL, stateDir: string, child: ChildProcess, said: string[]) {
    super(stateDir, child, said)
  }

  static async start(stateDir: string, args: string[] = [], env: Record<string, string> = {}): Promise<Slipway> {
    const own = ['serve', '--no-open', '--listen', '127.0.0.1:0', '--state-dir', stateDir]
    const child = start(stateDir, [...own, ...args], env)
    const said: string[] = []
    const ready = await Going.ready(child, said, /^Slipway is ready at (\S+)$/)
    return new Slipway(new URL(ready), stateDir, child, said)
  }

  /** The printed link, for a page of the panel. */
  link(path = '/'): string {
    return `${this.url.origin}${path}${this.url.hash}`
  }

  get token(): string {
    return this.url.hash.replace('#token=', '')
  }

  /** The viewer's link, from the file only the operator can read. */
  viewerLink(path = '/'): string {
    const file = readFileSync(join(this.stateDir, 'server.json'), 'utf8')
    const { viewer_link } = JSON.parse(file) as { viewer_link: string }
    const viewer = new URL(viewer_link)
    return `${viewer.origin}${path}${viewer.hash}`
  }

  get viewerToken(): string {
    return new URL(this.viewerLink()).hash.replace('#token=', '')
  }
}

/** A practice cluster in a process of its own. */
export class Practice extends Going {
  private constructor(readonly kubeconfig: string, stateDir: string, child: ChildProcess, said: string[]) {
    super(stateDir, child, said)
  }

  static async start(stateDir: string): Promise<Practice> {
    const child = start(stateDir, ['practice', '--state-dir', stateDir], {})
    const said: string[] = []
    const kubeconfig = await Going.ready(child, said, /(\/\S+kubeconfig)/)
    return new Practice(kubeconfig, stateDir, child, said)
  }
}

/** A folder that is gone when the test is. */
export function scratchFolder(): { path: string; remove: () => void } {
  const path = realpathSync(mkdtempSync(join(tmpdir(), 'slipway-e2e-')))
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) }
}
