import { expect, type Page } from '@playwright/test'

/** The screen for a room: readable from five metres. */
export class DemoPage {
  constructor(private readonly page: Page) {}

  readonly service = (name: string) => this.page.getByRole('list', { name: 'Services' }).getByRole('listitem').filter({ hasText: name })
  readonly leave = () => this.page.getByRole('link', { name: 'Leave demo' })

  async expectReady(name: string) {
    await expect(this.service(name)).toContainText('Ready')
    await expect(this.service(name)).toContainText('1/1, up ')
  }
}
