import { expect, type Page } from '@playwright/test'
import { StepPage } from './walk-bar.ts'

export class LivePage extends StepPage {
  constructor(page: Page) {
    super(page, 'Live')
  }

  readonly component = (name: string) => this.page.getByRole('article', { name: `Component ${name}`, exact: true })
  readonly tab = (name: 'Pods' | 'Events' | 'Logs' | 'Timeline' | 'Map') => this.page.getByRole('tab', { name })
  readonly pods = (component: string) => this.page.getByRole('listitem', { name: new RegExp(`^Pod ${component}-`) })
  readonly probes = (container: string) => this.page.getByRole('list', { name: `Probes of ${container}` })
  readonly probe = (container: string, kind: 'Startup' | 'Liveness' | 'Readiness') =>
    this.probes(container).getByRole('listitem').filter({ hasText: kind })
  /** What a container uses: CPU and memory. */
  readonly usage = (container: string) => this.page.getByRole('list', { name: `Usage of ${container}` }).getByRole('listitem')
  readonly openLink = (component: string) => this.component(component).getByRole('link', { name: `Open ${component}` })
  readonly log = () => this.page.getByRole('log', { name: 'Container log' })
  readonly logsOf = () => this.page.getByRole('combobox', { name: 'Logs of' })
  readonly logSearch = () => this.page.getByRole('textbox', { name: 'Only lines with' })
  readonly logLevel = () => this.page.getByRole('combobox', { name: 'Level' })
  readonly forward = (service: string) => this.component(service).getByRole('listitem', { name: new RegExp(`^Forward of ${service}`) })
  /** The nodes of the map whose names begin like this. */
  readonly node = (kind: string, name: string) =>
    this.page.getByRole('group', { name: 'Map of the objects' }).getByRole('button', { name: new RegExp(`^${kind}\\s*${name}`) })
  /** The window with an object's YAML. */
  readonly yaml = (object: string) => this.page.getByRole('dialog', { name: object })
  /** The handle that reads one moment of the timeline. */
  readonly moment = () => this.page.getByRole('slider', { name: 'Moment of the timeline' })

  async expectReady(component: string) {
    await expect(this.component(component).getByText('Ready', { exact: true })).toBeVisible()
    await expect(this.component(component)).toContainText('1of 1 pods ready')
  }

  /** The watches are open, and all that is shown is as of now. */
  async expectFresh() {
    await expect(this.page.getByText('Fresh', { exact: true })).toBeVisible({ timeout: 30_000 })
  }

  /** What is shown is grey and tells its age. */
  async expectStale(component: string) {
    await expect(this.page.getByText(/^Stale \d/)).toBeVisible()
    await expect(this.component(component)).toContainText(/As of \d+ \w+ ago/)
  }

  async podNames(component: string): Promise<string[]> {
    return await this.pods(component).evaluateAll((pods) => pods.map((pod) => pod.getAttribute('aria-label')!))
  }

  /** Says yes to the question that is open. */
  async confirm(yes: string) {
    await this.page.getByRole('dialog').getByRole('button', { name: yes, exact: true }).click()
  }

  /** How the newest run of this name ended. */
  async expectRun(name: string, word: string) {
    await expect(this.run(name).getByText(word, { exact: true }).first()).toBeVisible({ timeout: 60_000 })
  }

  async expectProbesPassing(container: string) {
    for (const kind of ['Startup', 'Liveness', 'Readiness'] as const) {
      await expect(this.probe(container, kind)).toContainText('Passing')
    }
  }

  /** Presses the link to the app; it opens in a tab of its own. */
  async open(component: string): Promise<Page> {
    const opened = this.page.context().waitForEvent('page')
    await this.openLink(component).click()
    const app = await opened
    await app.waitForLoadState()
    return app
  }
}
