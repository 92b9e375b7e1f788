import { expect, type Locator, type Page } from '@playwright/test'

/** A terminal in the page. What is typed goes by the keyboard, as a person's does. */
export class Terminal {
  constructor(
    private readonly page: Page,
    private readonly within: Locator,
  ) {}

  readonly screen = () => this.within.getByRole('region', { name: /^Screen of/ })
  readonly field = () => this.within.getByRole('textbox', { name: /^Type into/ })
  readonly button = (name: string) => this.within.getByRole('button', { name, exact: true })

  /** Types a line into whatever has the focus. */
  async type(line: string) {
    await this.page.keyboard.type(line)
    await this.page.keyboard.press('Enter')
  }

  async expectShown(text: string | RegExp) {
    await expect(this.screen()).toContainText(text)
  }

  async expectStanding(word: string) {
    await expect(this.within.getByText(word, { exact: true })).toBeVisible()
  }

  /** What `stty size` says: rows and columns. It is asked again until it fits. */
  async expectSize(fits: (rows: number, columns: number) => boolean) {
    await expect(async () => {
      await this.type(String.raw`printf '\033c'; stty size`)
      const said = /(?:^|\n)\s*(\d+) (\d+)\s/
      await expect(this.screen()).toContainText(/\d+ \d+/, { timeout: 1_000 })
      const [, rows, columns] = said.exec(await this.screen().innerText())!
      expect(fits(Number(rows), Number(columns)), `${rows} rows, ${columns} columns`).toBe(true)
    }).toPass({ timeout: 20_000 })
  }
}
