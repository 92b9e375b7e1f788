import type { Page } from '@playwright/test'

/** The operator's dialog with the link for viewers. */
export class ShareDialog {
  constructor(private readonly page: Page) {}

  readonly button = () => this.page.getByRole('button', { name: /^Share(d, \d+ watching)?$/ })
  readonly dialog = () => this.page.getByRole('dialog', { name: 'Let others watch' })
  readonly qr = () => this.dialog().getByRole('img', { name: 'QR code of the link' })
  readonly count = (words: string) => this.dialog().getByText(words)
  readonly begin = () => this.dialog().getByRole('button', { name: 'Open a link' })
  readonly end = () => this.dialog().getByRole('button', { name: 'End the link' })

  /** What the QR code says, as text. */
  async link(): Promise<string> {
    return (await this.dialog().getByText(/^http:/).textContent())!
  }
}
