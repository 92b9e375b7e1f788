import { expect, type Page } from '@playwright/test'
import { StepPage } from './walk-bar.ts'

export class ImagesPage extends StepPage {
  constructor(page: Page) {
    super(page, 'Images')
  }

  readonly buildButton = () => this.button('Build images')
  readonly image = (component: string) => this.page.getByRole('article', { name: `Image of ${component}`, exact: true })
  /** A part of the report: `Checks`, `Layers`, `Sources` or `Dockerfile`. */
  readonly part = (component: string, title: string) =>
    this.page.getByRole('article', { name: `Report of ${component}`, exact: true }).getByRole('region', { name: title, exact: true })
  readonly hint = (component: string, what: string) => this.part(component, 'Dockerfile').getByText(what, { exact: true })
  readonly log = () => this.run('Build images').getByRole('log', { name: 'Log of the run' })

  async build() {
    await this.buildButton().click()
  }

  async expectInCluster(component: string) {
    await expect(this.image(component).getByText('In the cluster', { exact: true })).toBeVisible()
    await expect(this.image(component)).toContainText(/sha256:[0-9a-f]{12}/)
    await expect(this.image(component)).toContainText(/its ID was read back/)
  }
}
