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

  readonly steps = (component: string) => this.page.getByRole('list', { name: `Build steps of ${component}` })
  readonly linesFound = () => this.run('Build images').getByRole('list', { name: 'Lines found' })

  /** Unfolds what the builder did. */
  async showSteps(component: string) {
    await this.image(component).getByText(/^BuildKit, buildx/).click()
  }

  async searchLog(words: string) {
    const search = this.run('Build images').getByRole('search')
    await search.getByRole('textbox', { name: 'Search the whole log' }).fill(words)
    await search.getByRole('button', { name: 'Search' }).click()
  }

  async build() {
    await this.buildButton().click()
  }

  async expectInCluster(component: string) {
    await expect(this.image(component).getByText('In the cluster', { exact: true })).toBeVisible()
    await expect(this.image(component)).toContainText(/sha256:[0-9a-f]{12}/)
    await expect(this.image(component)).toContainText(/its ID was read back/)
  }
}
