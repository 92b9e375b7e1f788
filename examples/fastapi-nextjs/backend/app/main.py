"""The HTTP side: todos, the chat, and the two questions Kubernetes asks."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from .chat import Chat, ChatUnavailable
from .store import Store, StoreUnavailable, open_store


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    app.state.store = open_store()
    app.state.chat = Chat.from_environment()
    yield
    app.state.store.close()


app = FastAPI(title="Todos", lifespan=lifespan)


class NewTodo(BaseModel):
    title: str = Field(min_length=1, max_length=200)


class Change(BaseModel):
    done: bool


class Message(BaseModel):
    text: str = Field(min_length=1, max_length=2000)


def store(request: Request) -> Store:
    return request.app.state.store


@app.exception_handler(StoreUnavailable)
def store_unavailable(_: Request, error: StoreUnavailable) -> JSONResponse:
    return JSONResponse({"error": str(error)}, status_code=503)


@app.get("/health")
def health() -> dict[str, str]:
    """Liveness: this process answers. A database that is away must not restart it."""
    return {"status": "ok"}


@app.get("/ready")
def ready(request: Request) -> dict[str, str]:
    """Readiness: the database answers too; 503 with the reason where it does not."""
    store(request).ping()
    return {"status": "ok"}


@app.get("/api/todos")
def list_todos(request: Request) -> list[dict]:
    return store(request).list()


@app.post("/api/todos", status_code=201)
def add_todo(request: Request, new: NewTodo) -> dict:
    return store(request).add(new.title)


@app.patch("/api/todos/{todo_id}")
def change_todo(request: Request, todo_id: int, change: Change) -> dict:
    todo = store(request).set_done(todo_id, change.done)
    if todo is None:
        raise HTTPException(404, f"There is no todo {todo_id}")
    return todo


@app.delete("/api/todos/{todo_id}", status_code=204)
def delete_todo(request: Request, todo_id: int) -> None:
    if not store(request).delete(todo_id):
        raise HTTPException(404, f"There is no todo {todo_id}")


@app.post("/api/chat")
def chat(request: Request, message: Message) -> dict[str, str]:
    """One turn with the assistant; without a key it says so instead of failing."""
    try:
        return {"answer": request.app.state.chat.turn(message.text, store(request))}
    except ChatUnavailable as reason:
        return {"answer": str(reason)}
