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

  readonly minikube = () => this.page.getByRole('region', { name: 'minikube', exact: true })
  readonly profile = (name: string) =>
    this.minikube().getByRole('list', { name: 'Profiles' }).getByRole('listitem').filter({ hasText: name })

  async expectMissing(...checks: string[]) {
    for (const check of checks) await expect(this.check(check).getByText('Not here', { exact: true })).toBeVisible()
  }

  /** With what the form offers. */
  async createCluster() {
    await this.page.getByRole('form', { name: 'New cluster' }).getByRole('button', { name: 'Create and start' }).click()
  }

  /** Does it, and says yes where it is asked. */
  async act(act: string, profile: string) {
    await this.minikube().getByRole('button', { name: `${act} ${profile}`, exact: true }).click()
    const dialog = this.page.getByRole('dialog', { name: `${act} ${profile}?` })
    if (act !== 'Unpause') await dialog.getByRole('button', { name: act, exact: true }).click()
  }

  async deleteCluster(profile: string) {
    await this.minikube().getByRole('button', { name: `Delete ${profile}`, exact: true }).click()
    const dialog = this.page.getByRole('dialog', { name: `Delete ${profile}?` })
    await dialog.getByRole('textbox').fill(profile)
    await dialog.getByRole('button', { name: 'Delete', exact: true }).click()
  }
}
