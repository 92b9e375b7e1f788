import type { Page } from '@playwright/test'
import { StepPage } from './walk-bar.ts'

export class AssistPage extends StepPage {
  constructor(page: Page) {
    super(page, 'Assist')
  }

  readonly nothingWrong = () => this.page.getByText('Nothing is wrong', { exact: true }).first()
}
