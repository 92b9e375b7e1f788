import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { test } from '@playwright/test'
import { example } from './slipway.ts'

/** How long the engine may take to answer, on a machine that compiles beside it. */
const READY_WITHIN_MS = 90_000

/** How the engine is reached, as `test-dockerd` prints it. */
interface Reached {
  host: string
  tlsHost: string
  certPath: string
  configWithBuildx: string
}

/** A real Docker Engine, the one that the server's own tests use; it stays at least until `stop`. */
export class Dockerd {
  private constructor(
    private readonly keeper: ChildProcess,
    readonly reached: Reached,
  ) {}

  /** Skips the test, saying why, where there cannot be one; fails where there has to be one. */
  static async start(): Promise<Dockerd> {
    const keeper = spawn(example('test-dockerd'), { stdio: ['pipe', 'pipe', 'pipe'] })
    let why = ''
    keeper.stderr.on('data', (chunk: Buffer) => (why += chunk.toString()))
    const said = await new Promise<string | undefined>((answered) => {
      const deadline = setTimeout(() => {
        why += `it did not answer in ${READY_WITHIN_MS} ms`
        keeper.kill()
      }, READY_WITHIN_MS)
      createInterface({ input: keeper.stdout }).once('line', (line) => answered(line))
      keeper.once('close', () => answered(undefined))
      keeper.once('exit', () => clearTimeout(deadline))
    })
    if (said === undefined) {
      if (process.env.SLIPWAY_REQUIRE_DOCKERD) throw new Error(`no Docker Engine for this test: ${why}`)
      test.skip(true, why.trim())
    }
    return new Dockerd(keeper, JSON.parse(said!) as Reached)
  }

  /** What `minikube docker-env` says of it. */
  get dockerEnv(): Record<string, string> {
    return { DOCKER_HOST: this.reached.tlsHost, DOCKER_TLS_VERIFY: '1', DOCKER_CERT_PATH: this.reached.certPath }
  }

  /** Runs the docker CLI in it and gives what that printed. */
  docker(...args: string[]): string {
    const env = { ...process.env, DOCKER_HOST: this.reached.host }
    return execFileSync('docker', args, { env, encoding: 'utf8' }).trim()
  }

  stop() {
    this.keeper.stdin!.end()
  }
}

/** Where a program of this machine is. */
export function findProgram(name: string): string {
  const folders = (process.env.PATH ?? '').split(':')
  const found = folders.map((folder) => join(folder, name)).find((path) => existsSync(path))
  if (!found) throw new Error(`there is no ${name} on this machine`)
  return found
}

/** Makes a program that needs nothing beside itself, for images from scratch. */
export function staticProgram(path: string) {
  const source = resolve(import.meta.dirname, '../../../server/tests/standins/program.c')
  execFileSync('cc', ['-static', '-Os', '-o', path, source])
}
