import type { Page } from '@playwright/test'

/** The command palette and the list of keys, over any page. */
export class Palette {
  constructor(private readonly page: Page) {}

  readonly dialog = () => this.page.getByRole('dialog', { name: 'Command palette' })
  readonly input = () => this.page.getByRole('combobox', { name: 'Command' })
  readonly options = () => this.page.getByRole('listbox', { name: 'Commands' }).getByRole('option')
  readonly option = (name: string) => this.options().filter({ hasText: name })
  readonly chosen = () => this.page.getByRole('option', { selected: true })
  readonly keys = () => this.page.getByRole('dialog', { name: 'Keyboard shortcuts' })

  async open() {
    await this.page.keyboard.press('Control+k')
  }
}
