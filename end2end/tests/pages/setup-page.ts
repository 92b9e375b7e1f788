import { expect, type Page } from '@playwright/test'
import { StepPage } from './walk-bar.ts'

export class SetupPage extends StepPage {
  constructor(page: Page) {
    super(page, 'Setup')
  }

  readonly clusters = () => this.page.getByRole('region', { name: 'Cluster' })
  readonly cluster = (name: string) => this.clusters().getByRole('listitem').filter({ hasText: name })
  readonly group = (name: 'Practice' | 'On this machine' | 'Not on this machine') =>
    this.clusters().getByRole('region', { name, exact: true })
  readonly use = (cluster: string) => this.clusters().getByRole('button', { name: new RegExp(`^(Start and use|Use|Look) ${cluster}$`) })
  readonly filter = () => this.clusters().getByRole('textbox', { name: 'Filter clusters' })
  readonly checks = () => this.page.getByRole('region', { name: 'Checks' })
  readonly check = (title: string) =>
    this.checks()
      .getByRole('listitem')
      .filter({ has: this.page.getByText(title, { exact: true }) })

  async expectInUse(cluster: string) {
    await expect(this.cluster(cluster).getByText('In use', { exact: true })).toBeVisible()
  }

  async expectReady(...checks: string[]) {
    for (const check of checks) await expect(this.check(check).getByText('Ready', { exact: true })).toBeVisible()
  }
}
