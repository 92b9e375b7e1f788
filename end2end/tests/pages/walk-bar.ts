import { expect, type Page } from '@playwright/test'

export type StepTitle = 'Setup' | 'Secrets' | 'Images' | 'Deploy' | 'Assist' | 'Live'

/** The six steps that stand above every page. */
export class WalkBar {
  constructor(private readonly page: Page) {}

  readonly steps = () => this.page.getByRole('navigation', { name: 'Steps' })
  // The number comes first: another step may say that it waits for this one.
  readonly step = (title: StepTitle) => this.steps().getByRole('link', { name: new RegExp(`^\\d\\s*${title}`) })

  async goTo(title: StepTitle) {
    await this.step(title).click()
    await expect(this.page.getByRole('heading', { name: title, level: 1 })).toBeVisible()
    await expect(this.step(title)).toHaveAttribute('aria-current', 'step')
  }

  /** The step has this word, such as `Done`, `To do` or `After Setup`. */
  async expectStep(title: StepTitle, word: string, withinMs?: number) {
    await expect(this.step(title)).toContainText(word, { timeout: withinMs })
  }

  async expectNotDone(title: StepTitle) {
    await expect(this.step(title)).not.toContainText('Done')
  }
}

/** What every step's page has: its proof and the way on once it is done. */
export class StepPage {
  readonly walk: WalkBar

  constructor(
    protected readonly page: Page,
    readonly title: StepTitle,
  ) {
    this.walk = new WalkBar(page)
  }

  readonly done = () => this.page.getByRole('region', { name: 'Next step' })
  readonly run = (name: string) => this.page.getByRole('region', { name: `Run: ${name}` })
  readonly finding = (what: string | RegExp) => this.page.getByRole('article', { name: what })
  readonly button = (name: string) => this.page.getByRole('button', { name, exact: true })

  /** The step is done, with this proof. */
  async expectProof(proof: string | RegExp, withinMs?: number) {
    await expect(this.done()).toContainText(`${this.title} is done`, { timeout: withinMs })
    await expect(this.done()).toContainText(proof)
  }

  /** Follows the way on to the next step. */
  async goOn(to: StepTitle) {
    await this.done().getByRole('link', { name: `Next: ${to}` }).click()
    await expect(this.page.getByRole('heading', { name: to, level: 1 })).toBeVisible()
  }
}
