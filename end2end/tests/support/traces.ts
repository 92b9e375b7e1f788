import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join, relative } from 'node:path'

/** A value in every form in which it could travel: as it is, base64, URL-encoded, in JSON. */
export function formsOf(value: string): { form: string; bytes: Buffer }[] {
  const forms: [string, string][] = [
    ['plain', value],
    ['JSON', JSON.stringify(value).slice(1, -1)],
    ['URL-encoded', encodeURIComponent(value)],
    ['form-encoded', new URLSearchParams({ v: value }).toString().slice(2)],
    ['hex', Buffer.from(value).toString('hex')],
  ]
  for (const [at, text] of base64Cores(value).entries()) {
    forms.push([`base64 at ${at}`, text])
    forms.push([`URL-safe base64 at ${at}`, text.replaceAll('+', '-').replaceAll('/', '_')])
  }
  return forms.map(([form, text]) => ({ form, bytes: Buffer.from(text) }))
}

/** What base64 makes of the value wherever it begins, without the characters its neighbours change. */
function base64Cores(value: string): string[] {
  return [0, 1, 2].map((before) => {
    const bytes = Buffer.concat([Buffer.alloc(before), Buffer.from(value)])
    const whole = bytes.length - (bytes.length % 3)
    const text = bytes.subarray(0, whole).toString('base64')
    return text.slice(before === 0 ? 0 : 4)
  })
}

/** Finds values in bytes, in every form. */
export class Search {
  private readonly needles: { what: string; bytes: Buffer }[]

  constructor(values: Record<string, string>) {
    this.needles = Object.entries(values).flatMap(([key, value]) =>
      formsOf(value).map(({ form, bytes }) => ({ what: `${key} (${form})`, bytes })),
    )
  }

  /** Which values are in there. */
  in(where: string, bytes: Buffer | string): string[] {
    const haystack = typeof bytes === 'string' ? Buffer.from(bytes) : bytes
    return this.needles.filter((needle) => haystack.includes(needle.bytes)).map(({ what }) => `${what} in ${where}`)
  }

  /** Which values are in files of a folder; `skipped` are paths below it. */
  inFolder(folder: string, skipped: (path: string) => boolean): string[] {
    return filesBelow(folder)
      .filter((file) => !skipped(relative(folder, file)))
      .flatMap((file) => this.in(file, readFileSync(file)))
  }
}

export function filesBelow(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((file) => statSync(file, { throwIfNoEntry: false })?.isFile())
}
