from __future__ import annotations

import asyncio
import http.client
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from iot_northbound.push import Access, DuplicateWindow, HandlerRetry, InboxLimits, MemoryInbox, PushMessageReceiver
from iot_northbound.push.handlers import METHODS
from iot_northbound.push.receiver import ANSWER_WITHIN

DOCS = Path(__file__).parents[2] / "docs" / "receiver"


def text(page: str) -> str:
    return (DOCS / page).read_text(encoding="utf-8")


def test_every_handler_is_in_the_table() -> None:
    table = [line for line in text("index.md").splitlines() if line.startswith("| `handle_")]
    assert sorted(line.split("`")[1] for line in table) == sorted(METHODS.values())


def test_the_defaults_in_the_pages_are_the_defaults() -> None:
    assert InboxLimits() == InboxLimits(messages=200_000, size=1 << 30, age=None)
    assert "200,000 messages, 1 GiB of bodies" in text("guarantees.md")
    assert DuplicateWindow().seconds == 3_600
    assert "Within an hour" in text("guarantees.md")
    assert (HandlerRetry().attempts, HandlerRetry().first, HandlerRetry().longest) == (6, 1.0, 60.0)
    assert "six calls in all" in text("guarantees.md")
    assert PushMessageReceiver().gate.body_limit == 1 << 20
    assert ANSWER_WITHIN == 12
    assert "after\n12 s" in text("index.md")
    assert Access() == Access(client_names=(), path_secret=None, networks=())


def test_python_in_the_pages_is_python() -> None:
    for page in DOCS.glob("*.md"):
        for block in page.read_text(encoding="utf-8").split("```python\n")[1:]:
            code = block.split("```")[0]
            if "--8<--" not in code:
                compile(code, str(page), "exec")
            else:
                assert (DOCS.parents[1] / code.split('"')[1].partition(":")[0]).is_file()


def for_another_address() -> PushMessageReceiver:
    return PushMessageReceiver(MemoryInbox(), access=Access(networks=["192.0.2.0/24"]))


@pytest.mark.parametrize(("proxy_headers", "status"), [(True, 200), (False, 403)])
def test_uvicorn_uses_a_forwarded_address_from_this_machine_by_default(proxy_headers: bool, status: int) -> None:
    assert "--no-proxy-headers" in text("security.md")
    config = uvicorn.Config(for_another_address().asgi, proxy_headers=proxy_headers, lifespan="off")
    config.load()
    statuses = []
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1.0.0/messageReceiver",
        "client": ("127.0.0.1", 50_000),
        "headers": [(b"x-forwarded-for", b"192.0.2.1"), (b"content-length", b"2")],
    }

    async def receive() -> Any:
        return {"type": "http.request", "body": b"{}"}

    async def send(message: Any) -> None:
        statuses.append(message.get("status"))

    asyncio.run(config.loaded_app({**scope, "asgi": {}, "root_path": "", "http_version": "1.1"}, receive, send))
    assert statuses[0] == status


def test_its_own_server_ignores_forwarded_addresses() -> None:
    with for_another_address().server(port=0) as server:
        connection = http.client.HTTPConnection(*server.address, timeout=60)
        connection.request("POST", "/v1.0.0/messageReceiver", b"{}", {"X-Forwarded-For": "192.0.2.1"})
        assert connection.getresponse().status == 403
        connection.close()
