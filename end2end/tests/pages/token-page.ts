import type { Page } from '@playwright/test'

/** What someone without a valid link sees. */
export class TokenPage {
  constructor(private readonly page: Page) {}

  readonly heading = (text: string) => this.page.getByRole('heading', { name: text, level: 1 })
  readonly field = () => this.page.getByRole('textbox', { name: 'Or paste the link or the token here' })
  readonly openButton = () => this.page.getByRole('button', { name: 'Open', exact: true })

  async paste(text: string) {
    await this.field().fill(text)
    await this.openButton().click()
  }
}
