import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** A process and when it started, because process IDs come back. */
export interface Process {
  pid: number
  started: string
}

/** The pods' processes of the practice cluster in this state folder, by the mark its node gives them. */
export function podProcesses(stateDir: string): Process[] {
  const node = createHash('sha256').update(join(stateDir, 'practice')).digest('hex').slice(0, 32)
  return processes().filter(({ pid }) => readProc(pid, 'environ').toString().split('\0').includes(`SLIPWAY_NODE=${node}`))
}

export function isAlive({ pid, started }: Process): boolean {
  return startOf(pid) === started
}

/** The arguments of every process of this machine. */
export function allArguments(): { pid: number; text: Buffer }[] {
  return processes().map(({ pid }) => ({ pid, text: readProc(pid, 'cmdline') }))
}

function processes(): Process[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .map((pid) => ({ pid, started: startOf(pid) ?? '' }))
    .filter(({ started }) => started !== '')
}

/** Undefined for one that is gone or only waits to be collected. */
function startOf(pid: number): string | undefined {
  const stat = readProc(pid, 'stat').toString()
  // The name in parentheses may contain anything.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return fields[0] === 'Z' || fields[0] === '' ? undefined : fields[19]
}

function readProc(pid: number, name: string): Buffer {
  try {
    return readFileSync(`/proc/${pid}/${name}`)
  } catch {
    return Buffer.alloc(0)
  }
}
