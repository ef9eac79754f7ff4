"""A reverse proxy that speaks HTTP/2, for hypercorn; it shares no environment with the suite.

TARGET is the URL of the server. Answers for wheels wait until PARALLEL of them are asked for at
once. Each request is a line of the file LOG: its version of HTTP, method, status and path.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx

TARGET = os.environ["TARGET"]
LOG = Path(os.environ["LOG"])
SECONDS = 30

Message = dict[str, Any]

gate = asyncio.Barrier(int(os.environ["PARALLEL"]))
client = httpx.AsyncClient(timeout=SECONDS, limits=httpx.Limits(max_connections=100))


async def app(
    scope: Message,
    receive: Callable[[], Awaitable[Message]],
    send: Callable[[Message], Awaitable[None]],
) -> None:
    """Pass a GET or HEAD on."""
    if scope["type"] != "http":
        raise NotImplementedError(scope["type"])
    path = scope["raw_path"].decode()
    if path.endswith(".whl") and scope["method"] == "GET":
        await asyncio.wait_for(gate.wait(), SECONDS)
    request = client.build_request(scope["method"], f"{TARGET}{path}")
    request.headers = httpx.Headers(scope["headers"])  # hypercorn puts Host among them
    answer = await client.send(request, stream=True)
    with LOG.open("a") as log:
        log.write(f"{scope['http_version']} {scope['method']} {answer.status_code} {path}\n")
    headers = [
        (name.lower(), value)
        for name, value in answer.headers.raw
        if name.lower() not in {b"connection", b"transfer-encoding"}
    ]
    await send({"type": "http.response.start", "status": answer.status_code, "headers": headers})
    async for block in answer.aiter_raw():
        await send({"type": "http.response.body", "body": block, "more_body": True})
    await answer.aclose()
    await send({"type": "http.response.body", "body": b""})
