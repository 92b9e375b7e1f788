import { expect, type Page } from '@playwright/test'
import { DeployPage } from './deploy-page.ts'

/** The Helm side of the Deploy page. */
export class HelmSide extends DeployPage {
  constructor(page: Page) {
    super(page)
  }

  readonly tab = (name: 'Raw' | 'Helm') => this.page.getByRole('tab', { name, exact: true })
  readonly switchPlan = () => this.page.getByRole('region', { name: 'Switch to Helm' })
  readonly previewButton = () => this.button('Preview release')
  /** What a wish would do, object by object; its act is the button that does it. */
  override readonly plan = () => this.page.getByRole('region', { name: 'Preview', exact: true })
  readonly act = (name: string | RegExp) => this.plan().getByRole('button', { name })
  readonly values = () => this.page.getByRole('region', { name: 'Values', exact: true })
  /** A value by the names on its way: `config`, `logFilter`. */
  readonly value = (group: string, name: string) =>
    this.values().getByRole('group', { name: group, exact: true }).getByLabel(new RegExp(`^${name}\\b`))
  readonly revision = (number: number) => this.page.getByRole('listitem', { name: `Revision ${number}`, exact: true })

  /** Looks at what a deploy would do, and does it. */
  async deployRelease(act: RegExp) {
    await this.previewButton().click()
    await expect(this.act(act)).toBeVisible({ timeout: 30_000 })
    await this.act(act).click()
    await expect(this.plan()).toHaveCount(0)
  }
}
