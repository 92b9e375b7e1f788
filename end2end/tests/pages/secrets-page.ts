import { expect, type Page } from '@playwright/test'
import { StepPage } from './walk-bar.ts'

export class SecretsPage extends StepPage {
  constructor(page: Page) {
    super(page, 'Secrets')
  }

  readonly secrets = () => this.page.getByRole('region', { name: 'Secrets of the project' })
  readonly secret = (key: string) =>
    this.secrets()
      .getByRole('listitem')
      .filter({ has: this.page.getByRole('heading', { name: key, exact: true }) })
  readonly field = (label: string) => this.page.getByRole('textbox', { name: label, exact: true })
  // A password field has no role of its own, so it is found by its label.
  readonly masked = (label: string) => this.page.getByLabel(label, { exact: true })
  /** Of a secret that can be tried out, the one that leaves the test out. */
  readonly saveButton = (label: string) =>
    this.page.getByRole('button', { name: new RegExp(`^(Save|Save without a test:) ${label}$`) })
  readonly layers = (key: string) => this.secret(key).getByRole('list', { name: 'Layers of the live test' })
  readonly stalePods = () => this.page.getByRole('region', { name: 'Pods with older values' })
  readonly trial = () => this.secrets().getByRole('region', { name: 'Run: Try in the cluster' })
  readonly envFile = () => this.page.getByLabel('Choose a .env file')
  readonly envMapping = () => this.page.getByRole('list', { name: 'What goes where' })

  async enter(label: string, value: string) {
    await this.masked(label).fill(value)
    await this.saveButton(label).click()
  }

  async testAndSave(label: string, value: string) {
    await this.masked(label).fill(value)
    await this.button(`Test and save ${label}`).click()
  }

  async tryInCluster(label: string, value: string) {
    await this.masked(label).fill(value)
    await this.button(`Try in the cluster: ${label}`).click()
  }

  async rotate(key: string) {
    await this.button(`Rotate ${key}`).click()
  }

  async generate(label: string) {
    await this.button(`Generate ${label}`).click()
  }

  async useRehearsalValue(label: string) {
    await this.button(`Use rehearsal value for ${label}`).click()
  }

  async expectSet(key: string) {
    await expect(this.secret(key).getByText('Set', { exact: true })).toBeVisible()
    await expect(this.secret(key)).toContainText(/Fingerprint \S+, set/)
  }
}
