import { spawn, type ChildProcess } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'

const repository = resolve(import.meta.dirname, '../../..')
const binary = process.env.SLIPWAY_BINARY ?? join(repository, 'target/debug/slipway')
const example = join(repository, 'examples/todo-chatbot')

/** A private copy of the example project whose chat talks to `openaiUrl`; compiled parts are shared. */
export function exampleProject(folder: string, openaiUrl: string): string {
  const project = join(folder, 'todo-chatbot')
  const skipped = join(example, 'target')
  cpSync(example, project, { recursive: true, filter: (path) => path !== skipped })
  mkdirSync(skipped, { recursive: true })
  symlinkSync(skipped, join(project, 'target'))
  replaceIn(join(project, 'k8s'), openaiUrl)
  return project
}

function replaceIn(folder: string, openaiUrl: string) {
  const file = join(folder, '10-configmap.yaml')
  const text = readFileSync(file, 'utf8')
  const changed = text.replace(/OPENAI_BASE_URL: .*/, `OPENAI_BASE_URL: "${openaiUrl}"`)
  if (changed === text) throw new Error(`${file} has no OPENAI_BASE_URL to replace`)
  writeFileSync(file, changed)
}

/** A running Slipway with its own state folder. */
export class Slipway {
  private constructor(
    readonly url: URL,
    readonly stateDir: string,
    private readonly child: ChildProcess,
    private readonly said: string[],
  ) {}

  /** Starts it and waits for the line that says it is ready. */
  static async start(stateDir: string, args: string[], env: Record<string, string> = {}): Promise<Slipway> {
    if (!existsSync(binary)) throw new Error(`${binary} is missing: run \`cargo xtask test browser\``)
    const child = spawn(
      binary,
      ['serve', '--no-open', '--listen', '127.0.0.1:0', '--state-dir', stateDir, ...args],
      { env: { ...process.env, KUBECONFIG: join(stateDir, 'no-kubeconfig'), ...env }, stdio: ['ignore', 'pipe', 'pipe'] },
    )
    const said: string[] = []
    child.stderr!.on('data', (chunk: Buffer) => said.push(chunk.toString()))
    const lines = createInterface({ input: child.stdout! })
    const ready = await new Promise<string>((found, failed) => {
      lines.on('line', (line) => {
        said.push(`${line}\n`)
        const match = /^Slipway is ready at (\S+)$/.exec(line)
        if (match) found(match[1])
      })
      child.on('exit', (code) => failed(new Error(`slipway ended with ${code}:\n${said.join('')}`)))
    })
    return new Slipway(new URL(ready), stateDir, child, said)
  }

  /** The printed link, for a page of the panel. */
  link(path = '/'): string {
    return `${this.url.origin}${path}${this.url.hash}`
  }

  /** The viewer's link, from the file only the operator can read. */
  viewerLink(path = '/'): string {
    const server = JSON.parse(readFileSync(join(this.stateDir, 'server.json'), 'utf8')) as { viewer: string }
    const viewer = new URL(server.viewer)
    return `${viewer.origin}${path}${viewer.hash}`
  }

  /** Everything it printed so far. */
  output(): string {
    return this.said.join('')
  }

  async kill(signal: NodeJS.Signals): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return
    const ended = new Promise((done) => this.child.once('exit', done))
    this.child.kill(signal)
    await ended
  }
}

/** A folder that is gone when the test is. */
export function scratchFolder(): { path: string; remove: () => void } {
  const path = mkdtempSync(join(tmpdir(), 'slipway-e2e-'))
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) }
}
