import { expect, type Page } from '@playwright/test'
import { StepPage } from './walk-bar.ts'

export class DeployPage extends StepPage {
  constructor(page: Page) {
    super(page, 'Deploy')
  }

  readonly plan = () => this.page.getByRole('region', { name: 'Plan', exact: true })
  readonly planned = (change: 'Create' | 'Update' | 'Unchanged' | 'Delete') =>
    this.plan().getByRole('region', { name: new RegExp(`^${change}: \\d+$`) })
  readonly refreshButton = () => this.button('Refresh plan')
  readonly deployButton = () => this.button('Deploy')
  readonly deployRun = () => this.run('Deploy')

  async deploy() {
    await expect(this.deployButton()).not.toHaveAttribute('aria-disabled', 'true')
    await this.deployButton().click()
  }

  async expectPlanned(change: 'Create' | 'Update' | 'Unchanged' | 'Delete', kind: string, name: string) {
    const object = this.planned(change).getByRole('listitem').filter({ hasText: kind }).filter({ hasText: name })
    await expect(object.first()).toBeVisible()
  }

  /** How the newest deploy ended: `Succeeded`, `Failed`, `Interrupted`. */
  async expectEnding(word: string, withinMs?: number) {
    await expect(this.deployRun().getByText(word, { exact: true })).toBeVisible({ timeout: withinMs })
  }
}
