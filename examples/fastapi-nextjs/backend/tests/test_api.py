"""The API over SQLite, without a network: `python -m unittest discover backend/tests`."""

import os
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from fastapi.testclient import TestClient  # noqa: E402

from app.chat import carry_out  # noqa: E402


class Api(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        os.environ["DATABASE_URL"] = f"sqlite://{folder.name}/todos.db"
        os.environ.pop("OPENAI_API_KEY", None)
        from app.main import app

        client = TestClient(app)
        self.client = client.__enter__()
        self.addCleanup(client.__exit__, None, None, None)

    def test_a_todo_lives_from_add_to_delete(self) -> None:
        added = self.client.post("/api/todos", json={"title": "milk"})
        self.assertEqual(added.status_code, 201)
        number = added.json()["id"]
        done = self.client.patch(f"/api/todos/{number}", json={"done": True})
        self.assertTrue(done.json()["done"])
        self.assertEqual(self.client.get("/api/todos").json(), [done.json()])
        self.assertEqual(self.client.delete(f"/api/todos/{number}").status_code, 204)
        self.assertEqual(self.client.delete(f"/api/todos/{number}").status_code, 404)

    def test_it_is_live_and_ready(self) -> None:
        self.assertEqual(self.client.get("/health").status_code, 200)
        self.assertEqual(self.client.get("/ready").status_code, 200)

    def test_without_a_key_the_chat_says_so(self) -> None:
        answer = self.client.post("/api/chat", json={"text": "add milk"}).json()["answer"]
        self.assertIn("OPENAI_API_KEY", answer)

    def test_the_tools_work_on_the_store_and_survive_a_models_mistakes(self) -> None:
        store = self.client.app.state.store
        carry_out({"name": "add_todo", "arguments": '{"title": "milk"}'}, store)
        self.assertEqual(store.list()[0]["title"], "milk")
        for arguments in ('{"todo_id": "x"}', "{}", "not json", "[]"):
            self.assertIsInstance(carry_out({"name": "complete_todo", "arguments": arguments}, store), str)


class DatabaseAway(unittest.TestCase):
    def test_it_is_live_and_not_ready(self) -> None:
        os.environ["DATABASE_URL"] = "postgresql://nobody:hidden@127.0.0.1:1/none"
        from app.main import app

        with TestClient(app) as client:
            self.assertEqual(client.get("/health").status_code, 200)
            ready = client.get("/ready")
        self.assertEqual(ready.status_code, 503)
        self.assertNotIn("hidden", ready.text)


if __name__ == "__main__":
    unittest.main()
