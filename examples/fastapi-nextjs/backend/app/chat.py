"""A turn with an OpenAI-compatible model that may use four tools on the todos."""

import json
import os

import httpx

from .store import Store

ROUNDS = 5
"""How often the model may ask for tools before it must answer."""


class ChatUnavailable(Exception):
    """Why there is no answer, in words for the person who asked."""


def tool(name: str, description: str, **properties: dict) -> dict:
    parameters = {"type": "object", "properties": properties, "required": list(properties)}
    return {
        "type": "function",
        "function": {"name": name, "description": description, "parameters": parameters},
    }


TODO_ID = {"type": "integer", "description": "The todo's number"}
TOOLS = [
    tool("list_todos", "All todos with their numbers"),
    tool("add_todo", "Add a todo", title={"type": "string"}),
    tool("complete_todo", "Mark a todo as done", todo_id=TODO_ID),
    tool("delete_todo", "Delete a todo", todo_id=TODO_ID),
]


def carry_out(call: dict, store: Store) -> object:
    """What the tool answers. A model's mistake is an answer too, so that it can try again."""
    try:
        given = json.loads(call["arguments"] or "{}")
        match call["name"]:
            case "list_todos":
                return store.list()
            case "add_todo":
                return store.add(str(given["title"])[:200])
            case "complete_todo":
                return store.set_done(int(given["todo_id"]), True) or "There is no such todo"
            case "delete_todo":
                return "Deleted" if store.delete(int(given["todo_id"])) else "There is no such todo"
            case unknown:
                return f"There is no tool {unknown}"
    except (KeyError, TypeError, ValueError) as mistake:
        return f"These arguments cannot be used: {mistake}"


class Chat:
    def __init__(self, base_url: str, key: str | None, model: str) -> None:
        self._key, self._model = key, model
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._client = httpx.Client(base_url=base_url, headers=headers, timeout=60)

    @classmethod
    def from_environment(cls) -> "Chat":
        return cls(
            os.environ.get("OPENAI_BASE_URL", "https://api.openai.com/v1"),
            os.environ.get("OPENAI_API_KEY") or None,
            os.environ.get("OPENAI_MODEL", "gpt-4.1-mini"),
        )

    def turn(self, text: str, store: Store) -> str:
        if self._key is None:
            raise ChatUnavailable("The assistant is offline: no OPENAI_API_KEY is set.")
        messages: list[dict] = [
            {"role": "system", "content": "You keep a todo list. Use the tools; answer in one sentence."},
            {"role": "user", "content": text},
        ]
        for _ in range(ROUNDS):
            message = self._complete(messages)
            calls = message.get("tool_calls") or []
            if not calls:
                return message.get("content") or ""
            messages.append(message)
            messages.extend(
                {
                    "role": "tool",
                    "tool_call_id": call["id"],
                    "content": json.dumps(carry_out(call["function"], store)),
                }
                for call in calls
            )
        raise ChatUnavailable("The assistant did not come to an answer.")

    def _complete(self, messages: list[dict]) -> dict:
        body = {"model": self._model, "messages": messages, "tools": TOOLS}
        try:
            response = self._client.post("/chat/completions", json=body)
            response.raise_for_status()
            return response.json()["choices"][0]["message"]
        except httpx.HTTPStatusError as error:
            raise ChatUnavailable(
                f"The model's provider answered {error.response.status_code}."
            ) from None
        except (httpx.HTTPError, KeyError, IndexError, ValueError):
            raise ChatUnavailable("The model's provider cannot be understood or reached.") from None
