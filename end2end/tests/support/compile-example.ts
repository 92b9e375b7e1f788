import { spawnSync } from 'node:child_process'
import { join, resolve } from 'node:path'

const example = resolve(import.meta.dirname, '../../../examples/todo-chatbot')

/**
 * Compiles the example once, before the clock of any test runs: Slipway's own builds of it then find
 * everything done. On a fresh clone this takes minutes, afterwards less than a second.
 */
export default function compileExample() {
  // What Slipway also keeps from the builds it starts, so that both build the same thing.
  const leadsAstray = /^(CARGO_TARGET_DIR|CARGO_BUILD_.*|CARGO_MANIFEST_.*|CARGO_PKG_.*|CARGO_MAKEFLAGS|MAKEFLAGS|OUT_DIR|LD_LIBRARY_PATH|SLIPWAY_.*)$/
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !leadsAstray.test(name)))
  for (const component of ['backend', 'frontend']) {
    console.log(`Compiling the example's ${component}`)
    const args = ['build', '--release', '--locked', '--target-dir', '../target']
    const { status, error } = spawnSync('cargo', args, { cwd: join(example, component), env, stdio: 'inherit' })
    if (status !== 0) throw error ?? new Error(`cargo ${args.join(' ')} failed for the example's ${component}`)
  }
}
