import { backend, type Todo } from './backend'
import { Todos } from './todos'

// The list is read for each request, never at build time.
export const dynamic = 'force-dynamic'

async function readTodos(): Promise<Todo[] | null> {
  try {
    const answer = await fetch(backend('/api/todos'), { signal: AbortSignal.timeout(3000) })
    return answer.ok ? await answer.json() : null
  } catch {
    return null
  }
}

export default async function Page() {
  const todos = await readTodos()
  return (
    <main>
      <h1>Todos</h1>
      {todos === null && <p role="alert">The backend does not answer. The list comes back by itself.</p>}
      <Todos first={todos} />
    </main>
  )
}
