'use client'

import { useState, type FormEvent } from 'react'
import type { Todo } from './backend'

async function ask<T>(path: string, method: string, body?: unknown): Promise<T | undefined> {
  const answer = await fetch(`/api/${path}`, {
    method,
    headers: { 'content-type': 'application/json' },
    body: body === undefined ? undefined : JSON.stringify(body),
  })
  if (!answer.ok) throw new Error(`The backend answered ${answer.status}`)
  return answer.status === 204 ? undefined : await answer.json()
}

/** Reads one field of a form and empties the form. */
function take(event: FormEvent<HTMLFormElement>, field: string): string {
  event.preventDefault()
  const text = String(new FormData(event.currentTarget).get(field) ?? '').trim()
  event.currentTarget.reset()
  return text
}

export function Todos({ first }: { first: Todo[] | null }) {
  const [todos, setTodos] = useState(first ?? [])
  const [said, setSaid] = useState('')

  /** Does something and shows the list as it is afterwards, or why it failed. */
  async function act(wish: () => Promise<string | void>) {
    try {
      setSaid((await wish()) ?? '')
      setTodos((await ask<Todo[]>('todos', 'GET')) ?? [])
    } catch (error) {
      setSaid(error instanceof Error ? error.message : 'That did not work')
    }
  }

  const add = (event: FormEvent<HTMLFormElement>) => {
    const title = take(event, 'title')
    if (title) void act(async () => void (await ask('todos', 'POST', { title })))
  }
  const chat = (event: FormEvent<HTMLFormElement>) => {
    const text = take(event, 'text')
    if (text) void act(async () => (await ask<{ answer: string }>('chat', 'POST', { text }))?.answer)
  }

  return (
    <>
      <form onSubmit={add}>
        <input name="title" aria-label="New todo" placeholder="New todo" maxLength={200} />
        <button>Add</button>
      </form>
      <ul aria-label="Todos">
        {todos.map((todo) => (
          <li key={todo.id} data-done={todo.done}>
            <label>
              <input
                type="checkbox"
                checked={todo.done}
                onChange={() => act(async () => void (await ask(`todos/${todo.id}`, 'PATCH', { done: !todo.done })))}
              />{' '}
              {todo.title}
            </label>
            <button aria-label={`Delete ${todo.title}`} onClick={() => act(async () => void (await ask(`todos/${todo.id}`, 'DELETE')))}>
              ×
            </button>
          </li>
        ))}
      </ul>
      <form onSubmit={chat}>
        <input name="text" aria-label="Ask the assistant" placeholder="Add milk and mark bread as done" maxLength={2000} />
        <button>Ask</button>
      </form>
      <p role="status">{said}</p>
    </>
  )
}
