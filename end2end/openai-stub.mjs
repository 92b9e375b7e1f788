// A stand-in for an OpenAI-compatible API, for end-to-end tests: no dependencies, no model.
//   node openai-stub.mjs [PORT] [--delay-ms N]      PORT 0 picks one; prints one line when ready
// It understands: "add X", "complete X" (or "done X"), "delete X" (or "remove X"), "list".
// Keys: "bad" gets 401, "quota" 429 insufficient_quota, "busy" 429, "broken" 500, "hang" no answer,
// "garbage" an answer that is not JSON, "loop" a model that never stops calling tools.
import { createServer } from 'node:http'
import { argv, exit, stdout } from 'node:process'

const MODEL = 'stand-in-1'
const option = (name) => {
  const at = argv.indexOf(name)
  return at < 0 ? undefined : argv[at + 1]
}
const port = Number(/^\d+$/.test(argv[2] ?? '') ? argv[2] : 0)
const delayMs = Number(option('--delay-ms') ?? 0)
let calls = 0

const server = createServer(async (request, response) => {
  const path = new URL(request.url, 'http://stub').pathname
  const body = await read(request)
  if (path === '/health') return answer(response, 200, { status: 'alive' })

  const key = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1]
  if (!key || key === 'bad') return refuse(response, 401, 'invalid_api_key', 'Incorrect API key provided')
  if (request.method === 'GET' && path === '/v1/models') {
    return answer(response, 200, { object: 'list', data: [{ id: MODEL, object: 'model' }] })
  }
  if (request.method !== 'POST' || path !== '/v1/chat/completions') {
    return refuse(response, 404, 'not_found', `no ${request.method} ${path}`)
  }
  if (key === 'quota') return refuse(response, 429, 'insufficient_quota', 'You exceeded your current quota')
  if (key === 'busy') return refuse(response, 429, 'rate_limit_exceeded', 'Too many requests')
  if (key === 'broken') return refuse(response, 500, 'server_error', 'The server had an error')
  if (key === 'hang') return
  if (key === 'garbage') return response.writeHead(200, { 'content-type': 'text/html' }).end('<h1>It works</h1>')

  let chat
  try {
    chat = JSON.parse(body)
  } catch {
    return refuse(response, 400, 'invalid_json', 'the body is not JSON')
  }
  if (!Array.isArray(chat.messages) || !chat.messages.length) {
    return refuse(response, 400, 'invalid_request', 'messages must be a list')
  }
  const message = key === 'loop' ? tool('list_todos', {}) : next(chat.messages)
  if (chat.stream) return stream(response, message)
  setTimeout(() => {
    answer(response, 200, {
      id: `chatcmpl-${++calls}`,
      object: 'chat.completion',
      created: 0,
      model: chat.model ?? MODEL,
      choices: [{ index: 0, message, finish_reason: message.tool_calls ? 'tool_calls' : 'stop' }],
      usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 },
    })
  }, delayMs)
})

// The same message in pieces, as the API streams it.
async function stream(response, { content, tool_calls }) {
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  const piece = (delta, finish_reason = null) =>
    response.write(`data: ${JSON.stringify({ choices: [{ index: 0, delta, finish_reason }] })}\n\n`)
  const wait = () => new Promise((resolve) => setTimeout(resolve, delayMs))
  piece({ role: 'assistant', content: '' })
  for (const word of content?.match(/\S+\s*/g) ?? []) {
    await wait()
    piece({ content: word })
  }
  for (const [index, call] of (tool_calls ?? []).entries()) {
    await wait()
    const { name, arguments: whole } = call.function
    piece({ tool_calls: [{ index, id: call.id, type: 'function', function: { name, arguments: '' } }] })
    for (const part of whole.match(/.{1,8}/gs) ?? []) piece({ tool_calls: [{ index, function: { arguments: part } }] })
  }
  piece({}, tool_calls ? 'tool_calls' : 'stop')
  response.end('data: [DONE]\n\n')
}

// What the "model" says next: it looks at the last wish and at the tool results after it.
function next(messages) {
  const at = messages.findLastIndex((message) => message.role === 'user')
  const wish = String(messages[at]?.content ?? '').trim()
  const since = messages.slice(at + 1)
  const results = since
    .filter((message) => message.role === 'tool')
    .map((message) => parsed(message.content))
  const found = /^(please )?(add|complete|done|finish|delete|remove)\s+(.+?)[.!]?$/i.exec(wish)
  if (!found) {
    if (!/\blist\b/i.test(wish)) return text(`You said: ${wish}`)
    if (!results.length) return tool('list_todos', {})
    const todos = results[0].todos ?? []
    if (!todos.length) return text('Your list is empty')
    return text(`On your list: ${todos.map((todo) => todo.title).join(', ')}`)
  }
  const verb = found[2].toLowerCase()
  const title = found[3].trim()
  const last = results.at(-1)
  if (verb === 'add') {
    if (!last) return tool('add_todo', { title })
    return text(last.error ? `That did not work: ${last.error}` : `Added ${title}`)
  }
  // The number has to be looked up first, as the instructions say.
  if (!results.length) return tool('list_todos', {})
  const deletes = verb === 'delete' || verb === 'remove'
  if (results.length === 1) {
    const todo = (last.todos ?? []).find((todo) => todo.title.toLowerCase() === title.toLowerCase())
    if (!todo) return text(`There is no ${title} on your list`)
    return tool(deletes ? 'delete_todo' : 'complete_todo', { id: todo.id })
  }
  if (last.error) return text(`That did not work: ${last.error}`)
  return text(`${deletes ? 'Deleted' : 'Completed'} ${title}`)
}

function text(content) {
  return { role: 'assistant', content }
}

function tool(name, args) {
  const call = { id: `call_${++calls}`, type: 'function', function: { name, arguments: JSON.stringify(args) } }
  return { role: 'assistant', content: null, tool_calls: [call] }
}

function parsed(content) {
  try {
    return JSON.parse(content)
  } catch {
    return { error: 'the tool result is not JSON' }
  }
}

async function read(request) {
  const parts = []
  for await (const part of request) parts.push(part)
  return Buffer.concat(parts).toString('utf8')
}

function answer(response, status, body) {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}

function refuse(response, status, code, message) {
  answer(response, status, { error: { message, type: code, code } })
}

server.listen(port, '127.0.0.1', () => {
  stdout.write(`The stand-in listens at http://127.0.0.1:${server.address().port}/v1\n`)
})
for (const signal of ['SIGTERM', 'SIGINT']) {
  process.on(signal, () => {
    server.closeAllConnections()
    server.close(() => exit(0))
  })
}
