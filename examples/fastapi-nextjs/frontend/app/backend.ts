/** Where the backend is. Only the server side knows: the browser asks this app, never the backend. */
export const backend = (path: string) => new URL(path, process.env.BACKEND_URL ?? 'http://127.0.0.1:8000')

export type Todo = { id: number; title: string; done: boolean }
