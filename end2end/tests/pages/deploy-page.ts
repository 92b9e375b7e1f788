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
  readonly drift = () => this.page.getByRole('region', { name: 'Changed behind our back' })
  readonly rollout = (component: string) => this.page.getByRole('region', { name: `Rollout of ${component}` })

  /** Presses a button and says yes to the question it asks. */
  async pressAndConfirm(button: string, yes: string) {
    await this.button(button).click()
    await this.page.getByRole('dialog').getByRole('button', { name: yes, exact: true }).click()
  }

  async deploy() {
    await expect(this.deployButton()).not.toHaveAttribute('aria-disabled', 'true')
    await this.deployButton().click()
  }

  async expectPlanned(change: Planned, kind: string, name: string) {
    await expect(this.option(kind, name)).toContainText(change)
  }

  /** How the newest deploy ended: `Succeeded`, `Failed`, `Interrupted`. */
  async expectEnding(word: string, withinMs?: number) {
    await this.expectRun('Deploy', word, withinMs)
  }

  /** How the newest run of this name ended. */
  async expectRun(name: string, word: string, withinMs?: number) {
    // A run that failed says so again in its stages.
    await expect(this.run(name).getByText(word, { exact: true }).first()).toBeVisible({ timeout: withinMs })
  }
}
