"""An agent on the official A2A SDK, so that the adapter for kagent talks to a protocol peer that is not
Slipway's own: kagent's agents are built on the same SDK. For tests only.

It prints the port it listens on. What it does follows from a word in the question:

- `logs`: it calls a tool, says its answer in pieces and whole, and repeats it in the artifact.
- `delete`: it pauses for two calls; then it says how they were decided.
- `fail`: its model refuses the key. `hang`: it says Hm, and nothing more comes.
- `cancelled`: it says how many of its tasks were cancelled.
"""

import asyncio
import socket

import uvicorn
from a2a.server.agent_execution import AgentExecutor, RequestContext
from a2a.server.apps import A2AStarletteApplication
from a2a.server.events import EventQueue
from a2a.server.request_handlers import DefaultRequestHandler
from a2a.server.tasks import InMemoryTaskStore, TaskUpdater
from a2a.types import AgentCapabilities, AgentCard, AgentSkill, DataPart, Part, TaskState, TextPart
from a2a.utils import new_task


def text(words):
    return Part(root=TextPart(text=words))


def data(body, **metadata):
    return Part(root=DataPart(data=body, metadata=metadata))


def wish(number, call):
    body = {
        "name": "adk_request_confirmation",
        "id": f"fc9{number}",
        "args": {
            "originalFunctionCall": call,
            "toolConfirmation": {"hint": "...", "confirmed": False, "payload": None},
        },
    }
    return data(body, kagent_type="function_call", kagent_is_long_running=True)


class Agent(AgentExecutor):
    def __init__(self):
        self.cancelled = 0

    async def execute(self, context: RequestContext, event_queue: EventQueue) -> None:
        task = context.current_task
        if task is None:
            task = new_task(context.message)
            await event_queue.enqueue_event(task)
        to = TaskUpdater(event_queue, task.id, task.context_id)
        part = context.message.parts[0].root
        await to.start_work()
        if isinstance(part, DataPart):
            decisions = part.data.get("decisions", {})
            decided = ", ".join(f"{call}: {how}" for call, how in sorted(decisions.items()))
            return await self.say(to, f"Decided {decided}.")
        # What was said before may stand in front of it.
        question = part.text.rsplit("The question now: ", 1)[-1]
        if "logs" in question:
            call = {"name": "k8s_get_pod_logs", "args": {"pod_name": "web-0"}, "id": "call_1"}
            await self.tell(to, [data(call, kagent_type="function_call")])
            answer = {"name": "k8s_get_pod_logs", "id": "call_1", "response": {"result": "no route to host"}}
            await self.tell(to, [data(answer, kagent_type="function_response")])
            for piece in ("The pod ", "has no ", "route."):
                await self.tell(to, [text(piece)], kagent_adk_partial=True)
            await self.say(to, "The pod has no route.")
        elif "delete" in question:
            first = {
                "name": "k8s_delete_resource",
                "id": "fc1",
                "args": {"resource_type": "configmap", "resource_name": "extra", "namespace": "t"},
            }
            second = {"name": "helm_uninstall", "id": "fc2", "args": {"name": "shop"}}
            message = to.new_agent_message([wish(1, first), wish(2, second)])
            await to.requires_input(message, final=True)
        elif "fail" in question:
            await to.failed(to.new_agent_message([text("401 invalid api key")]))
        elif "hang" in question:
            await self.tell(to, [text("Hm.")])
            await asyncio.Event().wait()
        elif "cancelled" in question:
            await self.say(to, f"{self.cancelled} cancelled")
        else:
            await self.say(to, "Well.")

    async def cancel(self, context: RequestContext, event_queue: EventQueue) -> None:
        self.cancelled += 1
        await TaskUpdater(event_queue, context.task_id, context.context_id).cancel()

    async def tell(self, to, parts, **metadata):
        message = to.new_agent_message(parts)
        await to.update_status(TaskState.working, message, metadata=metadata or None)

    async def say(self, to, words):
        await self.tell(to, [text(words)])
        await to.add_artifact([text(words)], name="answer", last_chunk=True)
        usage = {"kagent_usage_metadata": {"promptTokenCount": 120, "candidatesTokenCount": 7}}
        await to.update_status(TaskState.completed, final=True, metadata=usage)


def main():
    card = AgentCard(
        name="k8s_agent",
        description="Knows Kubernetes",
        url="http://k8s-agent.kagent:8080",
        version="1",
        capabilities=AgentCapabilities(streaming=True),
        default_input_modes=["text"],
        default_output_modes=["text"],
        skills=[AgentSkill(id="look", name="look", description="Looks", tags=["kubernetes"])],
    )
    handler = DefaultRequestHandler(agent_executor=Agent(), task_store=InMemoryTaskStore())
    app = A2AStarletteApplication(agent_card=card, http_handler=handler).build()
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
    asyncio.run(server.serve(sockets=[listener]))


main()
