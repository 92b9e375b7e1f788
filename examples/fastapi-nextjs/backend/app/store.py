"""Todos in Postgres, or in SQLite for a rehearsal without one."""

import os
import sqlite3
import threading
from typing import Protocol

import psycopg
from psycopg.rows import dict_row
from psycopg_pool import ConnectionPool, PoolTimeout


class StoreUnavailable(Exception):
    """The database cannot be asked now. The text names no address and no credential."""


class Store(Protocol):
    def ping(self) -> None: ...
    def list(self) -> list[dict]: ...
    def add(self, title: str) -> dict: ...
    def set_done(self, todo_id: int, done: bool) -> dict | None: ...
    def delete(self, todo_id: int) -> bool: ...
    def close(self) -> None: ...


def open_store() -> Store:
    """The store `DATABASE_URL` names: `postgresql://…`, or `sqlite:///PATH`."""
    url = os.environ.get("DATABASE_URL", "sqlite:///todos.db")
    if url.startswith(("postgres://", "postgresql://")):
        return PostgresStore(url)
    if url.startswith("sqlite://"):
        return SqliteStore(url.removeprefix("sqlite://").split("?")[0])
    raise SystemExit("DATABASE_URL must start with postgresql:// or sqlite://")


class PostgresStore:
    """Connects when it is first asked, so that a database that is away makes the pod
    not ready instead of crashing it."""

    def __init__(self, url: str) -> None:
        self._pool = ConnectionPool(
            url, min_size=0, max_size=8, timeout=3, open=True,
            kwargs={"row_factory": dict_row, "connect_timeout": 3},
        )
        self._created = False

    def _ask(self, statement: str, values: tuple = ()) -> list[dict]:
        try:
            with self._pool.connection() as connection:
                if not self._created:
                    # Two pods may start at once: the lock lets one of them create the table.
                    connection.execute("select pg_advisory_xact_lock(7301)")
                    connection.execute(
                        "create table if not exists todos (id bigserial primary key,"
                        " title text not null, done boolean not null default false)"
                    )
                cursor = connection.execute(statement, values)
                rows = cursor.fetchall() if cursor.description else []
            self._created = True
            return rows
        except PoolTimeout:
            raise StoreUnavailable("The database does not answer") from None
        except psycopg.OperationalError:
            raise StoreUnavailable("The database refused or dropped the connection") from None

    def ping(self) -> None:
        self._ask("select 1")

    def list(self) -> list[dict]:
        return self._ask("select id, title, done from todos order by id")

    def add(self, title: str) -> dict:
        return self._ask(
            "insert into todos (title) values (%s) returning id, title, done", (title,)
        )[0]

    def set_done(self, todo_id: int, done: bool) -> dict | None:
        rows = self._ask(
            "update todos set done = %s where id = %s returning id, title, done", (done, todo_id)
        )
        return rows[0] if rows else None

    def delete(self, todo_id: int) -> bool:
        return bool(self._ask("delete from todos where id = %s returning id", (todo_id,)))

    def close(self) -> None:
        self._pool.close()


class SqliteStore:
    """One file, one connection, one statement at a time."""

    def __init__(self, path: str) -> None:
        self._lock = threading.Lock()
        self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._connection.row_factory = sqlite3.Row
        self._ask(
            "create table if not exists todos (id integer primary key,"
            " title text not null, done integer not null default 0)"
        )

    def _ask(self, statement: str, values: tuple = ()) -> list[dict]:
        with self._lock:
            rows = self._connection.execute(statement, values).fetchall()
        return [{**row, "done": bool(row["done"])} if "done" in row.keys() else dict(row) for row in rows]

    def ping(self) -> None:
        self._ask("select 1")

    def list(self) -> list[dict]:
        return self._ask("select id, title, done from todos order by id")

    def add(self, title: str) -> dict:
        return self._ask("insert into todos (title) values (?) returning id, title, done", (title,))[0]

    def set_done(self, todo_id: int, done: bool) -> dict | None:
        rows = self._ask(
            "update todos set done = ? where id = ? returning id, title, done", (done, todo_id)
        )
        return rows[0] if rows else None

    def delete(self, todo_id: int) -> bool:
        return bool(self._ask("delete from todos where id = ? returning id", (todo_id,)))

    def close(self) -> None:
        self._connection.close()
