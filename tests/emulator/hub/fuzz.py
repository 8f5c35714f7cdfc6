"""Damaged messages for the hubs' port, in this process: no exception may escape, and memory may not grow.

python -m tests.emulator.hub.fuzz [--bodies 1000000] [--seed 1]
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import random
import ssl
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from iot_northbound.emulator.hub.app import PATH, HubApp
from iot_northbound.emulator.kernel.settings import Settings
from iot_northbound.emulator.rules import applications, devices, links
from iot_northbound.emulator.runtime import Runtime

TOKEN = "0123456789abcdef"
ROUND = 10_000
"""After so many bodies the platform is reset, because hubs may add any number of devices."""
GOOD = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n<h2s ver="2" hubId="hub-1" seq="17"><add deviceId="d-1" deviceType="11"/>'
    b'<measure deviceId="d-1" timestamp="2026-03-01T12:00:00Z"><param name="temperature">21.5</param>'
    b'<param name="humidity" index="2">40</param></measure><response cmdId="5" result="0"/></h2s>',
    b'<h2s ver="2" hubId="hub-1"><response cmdId="1" result="1"/><response cmdId="2" result="7"/></h2s>',
    b'<h2s proxyId="hub-1" seq="1"><alert type="x"><a>&amp;&#10;</a></alert><![CDATA[x]]><!-- x --></h2s>',
    b'<h2s hubId="hub-9" seq="2"><measure deviceId="hub-1"><param name="uptime">1e9</param></measure></h2s>',
)
BITS = (
    b"<", b">", b"/>", b"&", b"&#0;", b"&#x110000;", b"&a;", b"<!DOCTYPE x [<!ENTITY a 'b'>]>", b"<?x y?>", b"]]>",
    b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b"<!--", b"-->", b"<![CDATA[", b"<add deviceId='d-2'/>", b"</measure>",
    b"<measure deviceId='d-1'>", b"<param name='humidity'>", b"</param>", b'seq="18"', b'hubId="hub-1"', b"xmlns:h='h'",
    b"99999999999", b"-1", b"nan", b"1e999", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xc0\x80", b'encoding="UTF-16"',
    b"<response cmdId='",
)  # fmt: skip
NAMES = (
    "hub-1", "d-1", "d-2", "bystander", "", "humidity", "temperature", "batteryLevel", "uptime", "permitJoin", "11",
    "climate-sensor-zigbee", "x" * 300, "\u00e9\U0001f600", "0", "-1", "1", "65535", "65536", "99999", "1e999", "nan",
    "true", "{}", "[" * 500, "2026-03-01T12:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "noon",
)  # fmt: skip
ATTRIBUTES = ("deviceId", "deviceType", "timestamp", "name", "index", "cmdId", "result", "seq", "hubId", "x")


def odd(chance: random.Random) -> bytes:
    """Return a well-formed message with odd content."""

    def element(name: str, *more: str) -> str:
        needed = {"measure": ("deviceId",), "param": ("name",), "add": ("deviceId",), "response": ("cmdId", "result")}
        names = dict.fromkeys((*needed.get(name, ()), *chance.sample(ATTRIBUTES, chance.randrange(3))))
        attributes = "".join(f' {each}="{chance.choice(NAMES)}"' for each in names)
        return f"<{name}{attributes}>{chance.choice(NAMES)}{''.join(more)}</{name}>"

    inside = []
    for _ in range(chance.randrange(6)):
        params = [element("param") for _ in range(chance.randrange(4))]
        kind = chance.choice(("measure", "measure", "add", "response", "alert"))
        inside.append(element(kind, *params))
    number = chance.choice(("", f' seq="{chance.randrange(10**6)}"'))
    return f'<h2s ver="2" hubId="hub-1"{number}>{"".join(inside)}</h2s>'.encode()


def damaged(chance: random.Random) -> bytes:
    """Return a message that is odd or damaged."""
    if chance.random() < 0.5:
        return odd(chance)
    body = bytearray(chance.choice(GOOD).replace(b"17", str(chance.randrange(10**6)).encode()))
    for _ in range(chance.choice((0, 1, 1, 2, 3, 8))):
        at = chance.randrange(len(body) + 1)
        match chance.randrange(8):
            case 0:
                body[at : at + 1] = bytes([chance.randrange(256)])
            case 1:
                del body[at : at + chance.randrange(1, 20)]
            case 2:
                del body[at:]
            case 3:
                body[at:at] = chance.choice(BITS)
            case 4:
                end = min(len(body), at + chance.randrange(1, 60))
                body[at:at] = body[at:end] * chance.choice((1, 2, 50))
            case 5:
                body[at:at] = chance.randbytes(chance.randrange(1, 30))
            case 6:
                other = chance.choice(GOOD)
                start = chance.randrange(len(other))
                body[at:at] = other[start : start + chance.randrange(1, 80)]
            case _:
                body[at:at] = b"<a>" * chance.choice((1, 9, 1_001))
    return bytes(body[:80_000])


def memory() -> int:
    """Return the resident memory of this process in KiB."""
    return next(int(line.split()[1]) for line in Path("/proc/self/status").read_text().splitlines() if "VmRSS" in line)


class Rig:
    """A running platform without sockets, two hubs on it, and what its port has answered."""

    def __init__(self) -> None:
        self.runtime = Runtime(Settings(hub_models={"11": "climate-sensor-zigbee"}), ssl.create_default_context())
        self.app = HubApp(self.runtime)
        self.statuses: Counter[str] = Counter()
        platform = self.runtime.platform
        applications.add_application(platform, "app", "secret")

    def begin(self) -> None:
        """Reset the platform and register the hub that is attacked, and one that nobody attacks."""
        platform = self.runtime.platform
        platform.reset()
        for node_id in ("hub-1", "bystander"):
            devices.create(platform, "app", node_id, secret=TOKEN, productId="home-gateway-mqtt")
        self.bystander = str(devices.same_node(platform, "bystander")["deviceId"])  # type: ignore[index]
        platform.work(links.connect, platform, self.bystander, "s")
        platform.work(links.subscribe, platform, self.bystander, "s", "json", 1)
        self.link = links.find(platform, self.bystander)
        self.runtime.noted()

    def check(self) -> None:
        """Check that the other hub is as it was."""
        assert links.find(self.runtime.platform, self.bystander) == self.link

    async def post(self, body: bytes) -> bytes:
        """Return the answer to a body."""
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        token = b'esp token="%b"' % TOKEN.encode()
        scope = {"type": "http", "method": "POST", "path": PATH, "headers": [(b"ppcauthorization", token)]}
        await self.app(scope, receive, send)
        head, tail = sent
        assert head["status"] == 200
        content: bytes = tail["body"]
        assert b"<s2h " in content
        self.statuses[content.partition(b'status="')[2].partition(b'"')[0].decode()] += 1
        return content


async def run(bodies: int, seed: int = 1, tell: bool = False) -> Counter[str]:
    """Post so many bodies and return how often each status was answered; `ERR` would be an exception."""
    rig, chance, started = Rig(), random.Random(seed), time.perf_counter()
    early = 0
    for number in range(bodies):
        if number % ROUND == 0:
            if number:
                rig.check()
            rig.begin()
            if not early and number >= bodies // 5:
                early = memory()
        await rig.post(damaged(chance))
    rig.check()
    if tell:
        took = time.perf_counter() - started
        sys.stdout.write(f"{bodies} bodies in {took:.0f} s: {dict(rig.statuses)}\n")
        sys.stdout.write(f"memory after a fifth {early} KiB, at the end {memory()} KiB\n")
    await rig.runtime.aclose()
    return rig.statuses


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--bodies", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    logging.getLogger("iot_northbound.emulator").setLevel(logging.ERROR)
    statuses = asyncio.run(run(given.bodies, given.seed, tell=True))
    raise SystemExit(1 if statuses["ERR"] else 0)
