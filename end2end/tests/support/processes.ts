import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'

/** A process and when it started, because process IDs come back. */
export interface Process {
  pid: number
  started: string
}

/** The pods' processes of one practice cluster: marked by the node, and running from its images. */
export function podProcesses(stateDir: string): Process[] {
  const home = join(stateDir, 'practice')
  return processes().filter(({ pid }) => {
    const environ = readProc(pid, 'environ')
    return environ.includes('SLIPWAY_POD_UID=') && (environ.includes(home) || places(pid).some((place) => place.startsWith(home)))
  })
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

function places(pid: number): string[] {
  return ['exe', 'root', 'cwd'].flatMap((name) => {
    try {
      return [readlinkSync(`/proc/${pid}/${name}`)]
    } catch {
      return []
    }
  })
}

function readProc(pid: number, name: string): Buffer {
  try {
    return readFileSync(`/proc/${pid}/${name}`)
  } catch {
    return Buffer.alloc(0)
  }
}
