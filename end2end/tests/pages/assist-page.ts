import { expect, type Page } from '@playwright/test'
import { StepPage } from './walk-bar.ts'

export class AssistPage extends StepPage {
  constructor(page: Page) {
    super(page, 'Assist')
  }

  readonly nothingWrong = () => this.page.getByText('Nothing is wrong', { exact: true }).first()
  /** The card of a proposal, such as `Scale: Deployment backend`. */
  readonly proposal = (title: string) => this.page.getByRole('article', { name: `Proposal: ${title}` }).first()
  readonly desk = () => this.page.getByRole('region', { name: 'Ask an assistant' })
  readonly question = () => this.desk().getByRole('textbox', { name: 'Your question' })
  readonly answer = (who: string) => this.desk().getByRole('article', { name: `Answer of ${who}` })

  /** How the newest run of this name ended. */
  async expectRun(name: string, word: string, withinMs?: number) {
    await expect(this.run(name).getByText(word, { exact: true }).first()).toBeVisible({ timeout: withinMs })
  }
}
