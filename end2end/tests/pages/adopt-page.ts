import { expect, type Page } from '@playwright/test'

/** The page of a folder that is no project yet. */
export class AdoptPage {
  constructor(private readonly page: Page) {}

  readonly heading = () => this.page.getByRole('heading', { name: 'Adopt this folder', level: 1 })
  readonly component = (name: string) => this.page.getByRole('region', { name: 'Components' }).getByRole('group', { name, exact: true })
  readonly secret = (key: string) => this.page.getByRole('region', { name: 'Secrets' }).getByRole('group', { name: key, exact: true })
  readonly field = (component: string, label: string) => this.component(component).getByLabel(label, { exact: true })
  readonly takeIn = (component: string) => this.component(component).getByRole('checkbox', { name: `Take in ${component}` })
  readonly offer = (title: string) => this.page.getByRole('checkbox', { name: title, exact: true })
  readonly text = () => this.page.getByLabel('Text of slipway.toml')
  readonly notes = () => this.page.getByRole('region', { name: 'What Slipway saw' })
  readonly writeButton = (files: number) =>
    this.page.getByRole('button', { name: files === 1 ? 'Write slipway.toml' : `Write ${files} files`, exact: true })
  readonly problem = (what: string | RegExp) => this.page.getByRole('article', { name: what })

  async open(file: string) {
    await this.page.getByText(file, { exact: true }).first().click()
  }

  /** The button can be pressed: what it would write is what is shown. */
  async expectReadyToWrite(files: number) {
    await expect(this.writeButton(files)).toBeVisible()
    await expect(this.writeButton(files)).not.toHaveAttribute('aria-disabled', 'true')
  }
}
