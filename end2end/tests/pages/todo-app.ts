import { expect, type Page } from '@playwright/test'

/** The example's frontend, as its visitors see it. */
export class TodoApp {
  constructor(private readonly page: Page) {}

  readonly message = () => this.page.getByRole('textbox', { name: 'Message' })
  readonly todos = () => this.page.getByRole('list', { name: 'Todos' })
  readonly todo = (title: string) => this.todos().getByRole('checkbox', { name: title, exact: true })
  readonly conversation = () => this.page.getByRole('log', { name: 'Conversation' })

  /** Says it and waits for the answer: as long as one is on its way, the page takes no other. */
  async say(text: string) {
    await this.message().fill(text)
    await this.page.getByRole('button', { name: 'Send' }).click()
    await expect(this.message()).toHaveValue('')
    await expect(this.conversation()).not.toContainText('Thinking…')
  }
}
