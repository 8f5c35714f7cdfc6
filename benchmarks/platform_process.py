"""An emulator in a separate process, started as a user starts it, and simple ways to call it."""

from __future__ import annotations

import http.client
import json
import os
import ssl
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlencode

from benchmarks import load

COMMAND = (sys.executable, "-m", "iot_northbound", "emulator", "--port", "0", "--control-port", "0", "--json")
DEVICES = "/iocm/app/dm/v1.4.0/devices"


class Platform:
    """A running emulator, and an application that is logged in."""

    def __init__(self, home: Path, *options: str) -> None:
        self.home = home
        self.process = subprocess.Popen(
            [*COMMAND, "--home", str(home), *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self.process.stdout is not None
        facts = json.loads(self.process.stdout.readline())
        self.port = int(facts["url"].rpartition(":")[2])
        context = ssl.create_default_context(cafile=str(home / "ca.pem"))
        context.load_cert_chain(home / "client.pem", home / "client.key")
        self._northbound = http.client.HTTPSConnection("localhost", self.port, context=context)
        self._control = http.client.HTTPConnection(facts["control"].removeprefix("http://"))
        profile = tomllib.loads((home / "profile.toml").read_text())["default"]
        form = urlencode({"appId": profile["app_id"], "secret": profile["secret"]})
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        self._northbound.request("POST", "/iocm/app/sec/v1.1.0/login", form, kind)
        token = json.loads(self._northbound.getresponse().read())["accessToken"]
        self.headers = {
            "app_key": profile["app_id"],
            "Authorization": f"Bearer {token}",
            "Content-Type": "application/json",
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait()

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """Call the northbound API."""
        return _exchange(self._northbound, method, path, body, self.headers)

    def control(self, method: str, path: str, body: Any = None) -> Any:
        """Call the control plane."""
        return _exchange(self._control, method, path, body, {})

    def memory(self) -> int:
        """Return its resident memory in bytes."""
        return int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def cpu(self) -> float:
        """Return the CPU seconds it has used."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def message(self, method: str, path: str, body: Any = None) -> bytes:
        """Return a whole request as bytes."""
        content = b"" if body is None else json.dumps(body).encode()
        headers = self.headers | ({"Content-Length": str(len(content))} if content else {})
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n{head}\r\n".encode() + content

    def load(self, messages: list[bytes], **how: Any) -> load.Spans:
        """Put a load on the northbound API; see `load.generate`."""
        return load.generate(self.home, self.port, messages, **how)


def _exchange(
    connection: http.client.HTTPConnection, method: str, path: str, body: Any, headers: dict[str, str]
) -> Any:
    if body is not None:
        headers = headers | {"Content-Type": "application/json"}
    connection.request(method, path, None if body is None else json.dumps(body), headers)
    answer = connection.getresponse()
    content = answer.read()
    if answer.status >= 300:
        raise RuntimeError(f"{method} {path}: {answer.status} {content!r}")
    return json.loads(content) if content else None
