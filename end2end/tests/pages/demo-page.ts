import { expect, type Page } from '@playwright/test'

export type Scene = 'Health' | 'Rollout' | 'Events' | 'Walk'
export const SCENES: Scene[] = ['Health', 'Rollout', 'Events', 'Walk']

/** The screen for a room: readable from five metres. */
export class DemoPage {
  constructor(private readonly page: Page) {}

  readonly scene = (name: Scene) => this.page.getByRole('region', { name, exact: true })
  readonly sceneLink = (name: Scene) => this.page.getByRole('navigation', { name: 'Scenes' }).getByRole('link', { name, exact: true })
  readonly hold = () => this.page.getByRole('link', { name: 'Hold' })
  readonly follow = () => this.page.getByRole('link', { name: 'Follow the action' })
  readonly service = (name: string) => this.page.getByRole('list', { name: 'Services' }).getByRole('listitem').filter({ hasText: name })
  readonly light = (service: string, kind: string) => this.service(service).getByRole('list', { name: 'Probes' }).getByRole('listitem').filter({ hasText: kind })
  readonly rollout = (name: string) => this.page.getByRole('list', { name: 'Rollouts' }).getByRole('listitem').filter({ hasText: name })
  readonly happenings = () => this.page.getByRole('list', { name: 'What happened last' }).getByRole('listitem')
  readonly steps = () => this.page.getByRole('list', { name: 'Steps' }).getByRole('listitem')
  readonly replay = () => this.page.getByRole('link', { name: 'Replay the last good walk' })
  /** What says that this is not what is now. */
  readonly band = () => this.page.getByRole('note').filter({ hasText: 'Replay' })
  readonly backToNow = () => this.band().getByRole('link', { name: /^Back to now/ })
  readonly leave = () => this.page.getByRole('link', { name: 'Leave demo' })

  async expectReady(name: string) {
    await expect(this.service(name)).toContainText('Ready')
    await expect(this.service(name)).toContainText('1/1')
    for (const kind of ['Startup', 'Liveness', 'Readiness']) await expect(this.light(name, kind)).toContainText('Passing')
  }

  /** Everything there is can be seen at once. */
  async expectNoScrolling() {
    await expect(this.leave()).toBeInViewport({ ratio: 1 })
    await expect(this.page.getByRole('heading', { level: 1 })).toBeInViewport({ ratio: 1 })
    const tooFar = await this.page.getByRole('listitem').evaluateAll((items) =>
      items
        .map((item) => ({ text: item.textContent, box: item.getBoundingClientRect() }))
        .filter(({ box }) => box.bottom > innerHeight + 1 || box.right > innerWidth + 1)
        .map(({ text }) => text),
    )
    expect(tooFar, 'outside of the screen').toEqual([])
  }
}
