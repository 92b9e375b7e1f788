import { expect, type Page } from '@playwright/test'

/** The red bar of a cluster that is not on this machine. */
export class GuardBanner {
  constructor(private readonly page: Page) {}

  readonly bar = () => this.page.getByRole('complementary', { name: 'A cluster that is not on this machine' })
  readonly allow = () => this.bar().getByRole('button', { name: 'Allow changes…' })
  readonly onlyLook = () => this.bar().getByRole('button', { name: 'Only look again' })
  readonly dialog = () => this.page.getByRole('dialog', { name: /^Allow changes on / })
  readonly typed = () => this.dialog().getByRole('textbox')
  readonly confirm = () => this.dialog().getByRole('button', { name: 'Allow changes' })

  async expectLooking(name: string) {
    await expect(this.bar()).toContainText(`${name} is not on this machine. You are only looking`)
  }

  async expectAllowed(name: string) {
    await expect(this.bar()).toContainText(`${name} is not on this machine. Secrets, images and deploys go there`)
  }
}
