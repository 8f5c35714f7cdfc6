"""What the receiver says if its extra is not installed."""

from __future__ import annotations

import subprocess
import sys

import pytest

WITHOUT_EXTRAS = """
import sys

class Without:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"uvicorn", "httptools", "uvloop", "sortedcontainers", "rich"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Without())
from iot_northbound.push import MemoryInbox, PushMessageReceiver
receiver = PushMessageReceiver(MemoryInbox())
"""
POST = '{"notifyType": "deviceDeleted", "deviceId": "d"}'
WSGI = f"""
import io
body = b'{POST}'
environ = {{"REQUEST_METHOD": "POST", "PATH_INFO": "/v1.0.0/messageReceiver", "CONTENT_LENGTH": str(len(body))}}
environ["wsgi.input"] = io.BytesIO(body)
receiver.wsgi(environ, lambda status, headers: print(status))
"""
ASGI = f"""
import asyncio
async def receive():
    return {{"type": "http.request", "body": b'{POST}'}}
async def send(message):
    if message["type"] == "http.response.start":
        print(message["status"])
scope = {{"type": "http", "method": "POST", "path": "/v1.0.0/messageReceiver", "headers": []}}
asyncio.run(receiver.asgi(scope, receive, send))
"""
CONTEXT = """
from iot_northbound.errors import TlsError
from iot_northbound.push import server_context
try:
    server_context("missing.pem")
except TlsError as error:
    print(type(error).__name__)
"""


def run(program: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", WITHOUT_EXTRAS + program]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(
    "program",
    ["receiver.serve()", "receiver.server()", "from iot_northbound.push import ReceiverServer"],
    ids=["serve", "server", "import"],
)
def test_the_server_says_which_extra_to_install(program: str) -> None:
    error = run(program).stderr.splitlines()[-1]
    assert error.endswith(".MissingExtraError: uvicorn is not installed: pip install 'iot-northbound[receiver]'")


@pytest.mark.parametrize(
    ("program", "answer"),
    [
        (f"print(receiver.receive('{POST}').status)", "200"),
        (WSGI, "200 OK"),
        (ASGI, "200"),
        (CONTEXT, "TlsError"),
    ],
    ids=["receive", "wsgi", "asgi", "server_context"],
)
def test_everything_but_the_server_works_without_the_extra(program: str, answer: str) -> None:
    ended = run(program)
    assert ended.stdout == f"{answer}\n", ended.stderr
