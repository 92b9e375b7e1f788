import { spawn } from 'node:child_process'
import { resolve } from 'node:path'
import { createInterface } from 'node:readline'

const script = resolve(import.meta.dirname, '../../openai-stub.mjs')

/** A stand-in for OpenAI on a port of its own. */
export interface OpenAi {
  url: string
  stop: () => Promise<void>
}

export async function startOpenAi(): Promise<OpenAi> {
  const child = spawn(process.execPath, [script, '0'], { stdio: ['ignore', 'pipe', 'inherit'] })
  const url = await new Promise<string>((found, failed) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      const match = /listens at (\S+)$/.exec(line)
      if (match) found(match[1]!)
    })
    child.once('exit', (code) => failed(new Error(`the stand-in for OpenAI ended with ${code}`)))
  })
  const stop = () =>
    new Promise<void>((done) => {
      child.once('exit', () => done())
      child.kill()
    })
  return { url, stop }
}
