"""Starts the server: `python -m app`."""

import os

import uvicorn

uvicorn.run(
    "app.main:app",
    host=os.environ.get("HOST", "0.0.0.0"),
    port=int(os.environ.get("PORT", "8000")),
    timeout_graceful_shutdown=20,
)
