import { expect, type Page } from '@playwright/test'
import { StepPage } from './walk-bar.ts'

type Planned = 'Create' | 'Update' | 'Replace' | 'Unchanged' | 'Delete' | 'Refused'

export class DeployPage extends StepPage {
  constructor(page: Page) {
    super(page, 'Deploy')
  }

  readonly plan = () => this.page.getByRole('region', { name: 'Plan', exact: true })
  readonly objects = () => this.plan().getByRole('listbox', { name: 'Objects' })
  readonly option = (kind: string, name: string) =>
    this.objects().getByRole('option').filter({ hasText: kind }).filter({ hasText: name }).first()
  /** What is shown of one object, such as `Deployment backend`. */
  readonly pane = (object: string) => this.plan().getByRole('region', { name: object, exact: true })
  readonly difference = (object: string) => this.plan().getByRole('group', { name: `Difference of ${object}` })
  readonly layout = (word: 'Unified' | 'Side by side') => this.plan().getByRole('button', { name: word })
  readonly refreshButton = () => this.button('Refresh plan')
  readonly deployButton = () => this.button('Deploy')
  readonly deployRun = () => this.run('Deploy')

  async deploy() {
    await expect(this.deployButton()).not.toHaveAttribute('aria-disabled', 'true')
    await this.deployButton().click()
  }

  async expectPlanned(change: Planned, kind: string, name: string) {
    await expect(this.option(kind, name)).toContainText(change)
  }

  /** How the newest deploy ended: `Succeeded`, `Failed`, `Interrupted`. */
  async expectEnding(word: string, withinMs?: number) {
    await expect(this.deployRun().getByText(word, { exact: true })).toBeVisible({ timeout: withinMs })
  }
}
