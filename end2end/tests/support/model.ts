import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'

/** What a scripted model does with one question: uses tools, or says something. */
export type Reply = { calls: [name: string, args: object][] } | { says: string[] } | { hangs: string }

/** An endpoint that speaks the streaming form of OpenAI's chat completions and says what it is told to. */
export async function scriptedModel(replies: Reply[]) {
  const asked: string[] = []
  const server = createServer(async (request, response) => {
    const body = await read(request)
    if (request.method === 'GET') {
      response.writeHead(200, { 'content-type': 'application/json' })
      return response.end(JSON.stringify({ object: 'list', data: [{ id: 'scripted-1' }, { id: 'scripted-2' }] }))
    }
    asked.push(body)
    const reply = replies.shift()
    if (!reply) return response.writeHead(500).end('{}')
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    const send = (chunk: object) => response.write(`data: ${JSON.stringify(chunk)}\n\n`)
    const delta = (delta: object) => send({ choices: [{ index: 0, delta }] })
    if ('hangs' in reply) return void delta({ content: reply.hangs })
    if ('calls' in reply) {
      const calls = reply.calls.map(([name, args], index) => (
        { index, id: `call_${index}`, type: 'function', function: { name, arguments: JSON.stringify(args) } }
      ))
      delta({ tool_calls: calls })
    } else {
      for (const content of reply.says) delta({ content })
    }
    const finish_reason = 'calls' in reply ? 'tool_calls' : 'stop'
    send({ choices: [{ index: 0, delta: {}, finish_reason }], usage: { prompt_tokens: 1200, completion_tokens: 80 } })
    response.end('data: [DONE]\n\n')
  })
  await new Promise<void>(done => server.listen(0, '127.0.0.1', done))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}/v1`,
    /** The bodies of all questions so far. */
    asked,
    close: () => {
      server.closeAllConnections()
      server.close()
    },
  }
}

async function read(request: IncomingMessage): Promise<string> {
  let text = ''
  for await (const chunk of request) text += chunk
  return text
}
