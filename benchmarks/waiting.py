"""A thousand commands that wait in a FastAPI application, three ways: by push, on FastAPI's threads, a thread for each.

    python -m benchmarks.waiting

Platform and application run in processes of their own. The load opens a request for each command, then asks for
/health, and then lets every device answer.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks.platform_process import DEVICES, Platform

WAITS = 1_000
PROBES = 100
PATIENCE = 10.0
"""Seconds after which an answer of /health counts as missing."""
SIDES = {
    "push": "receiver.commands.submit, awaited",
    "pool": "wait_for_device_command, on FastAPI's threads (40)",
    "threads": "wait_for_device_command, a thread for each",
}


# -- the application -------------------------------------------------------------------------------------------------


def serve(side: str, profile: str) -> None:
    """Serve in the foreground; print the port first."""
    import socket

    import uvicorn
    from fastapi import FastAPI

    from iot_northbound import NorthApiClient
    from iot_northbound.dto import CommandDTOV4, PostDeviceCommandInDTO2
    from iot_northbound.push import MemoryInbox, PushMessageReceiver

    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen(4096)
    port = listening.getsockname()[1]
    client = NorthApiClient.from_profile(profile)
    client.start_timer()
    receiver = PushMessageReceiver(
        MemoryInbox(), callback_url=f"http://127.0.0.1:{port}/iot/v1.0.0/messageReceiver"
    ).start()
    app = FastAPI()

    def request(device_id: str) -> PostDeviceCommandInDTO2:
        command = CommandDTOV4(service_id="Lamp", method="SET_BRIGHTNESS", paras={"value": 30})
        return PostDeviceCommandInDTO2(device_id=device_id, command=command)

    def wait(device_id: str) -> str:
        made = client.signal_delivery.post_device_command(request(device_id))
        done = client.signal_delivery.wait_for_device_command(made.command_id, device_id, timeout=600)
        return str(done.status)

    @app.get("/health")
    def health() -> str:
        return "ok"

    if side == "push":

        @app.post("/lamps/{device_id}")
        async def by_push(device_id: str) -> str:
            done = await asyncio.wrap_future(receiver.commands.submit(client, request(device_id), timeout=600))
            return str(done.status)

    elif side == "pool":

        @app.post("/lamps/{device_id}")
        def in_the_pool(device_id: str) -> str:
            return wait(device_id)

    else:
        executor = ThreadPoolExecutor(WAITS)

        @app.post("/lamps/{device_id}")
        async def on_a_thread(device_id: str) -> str:
            return await asyncio.get_running_loop().run_in_executor(executor, wait, device_id)

    app.mount("/iot", receiver.asgi)
    print(port, flush=True)
    uvicorn.Server(uvicorn.Config(app, log_level="error", backlog=4096)).run([listening])


# -- the load --------------------------------------------------------------------------------------------------------


async def ask(port: int, method: str, path: str) -> bytes:
    """Make a request on a connection of its own, and return the answer's body."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(
        f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 0\r\n\r\n".encode()
    )
    try:
        return (await reader.read()).rpartition(b"\r\n\r\n")[2]
    finally:
        writer.close()


async def probe(port: int) -> list[float]:
    """Return the seconds of each answer of /health; the patience for one that did not come."""
    spans = []
    for _ in range(PROBES):
        began = time.perf_counter()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                await ask(port, "GET", "/health")
        spans.append(time.perf_counter() - began)
        if spans[-1] >= PATIENCE:
            break
        await asyncio.sleep(0.05)
    return spans


def of_process(pid: int, name: str) -> int:
    """Return a figure of a process, for example Threads or VmRSS (KiB)."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


async def play(port: int, pid: int, platform: Platform, devices: list[str]) -> dict[str, Any]:
    """Let the commands wait, then let the devices answer; return the figures."""
    idle = await probe(port)
    waits = [asyncio.create_task(ask(port, "POST", f"/lamps/{device}")) for device in devices]
    await asyncio.sleep(15)
    figures: dict[str, Any] = {"threads": of_process(pid, "Threads"), "memory": of_process(pid, "VmRSS")}
    figures["idle"], figures["waiting"] = idle, await probe(port)
    began = time.perf_counter()

    def answer() -> None:
        for device in devices:
            platform.control("PUT", f"/devices/{device}/script", {})

    await asyncio.get_running_loop().run_in_executor(None, answer)
    answered = time.perf_counter() - began
    _, left = await asyncio.wait(waits, timeout=120)
    figures["end"], figures["answered"], figures["left"] = time.perf_counter() - began, answered, len(left)
    for each in left:
        each.cancel()
    return figures


def measure(side: str) -> dict[str, Any]:
    """Return the figures of one way."""
    with tempfile.TemporaryDirectory() as folder, Platform(Path(folder)) as platform:
        platform.control("POST", "/devices", {"count": WAITS, "product_id": "street-lamp-nb"})
        pages = [platform.call("GET", f"{DEVICES}?pageNo={number}&pageSize=250") for number in range(WAITS // 250)]
        devices = [str(each["deviceId"]) for page in pages for each in page["devices"]]
        command = [sys.executable, "-m", "benchmarks.waiting", "serve", side, str(Path(folder) / "profile.toml")]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as application:
            assert application.stdout is not None
            port = int(application.stdout.readline())
            try:
                figures = asyncio.run(play(port, application.pid, platform, devices))
                figures["calls"] = calls(platform)
            finally:
                application.kill()
        return figures


def calls(platform: Platform) -> int:
    """Return how many calls the platform has got."""
    return sum(sum(outcomes.values()) for outcomes in platform.control("GET", "/calls").values())


def milliseconds(spans: list[float], of: Callable[[list[float]], float]) -> str:
    value = of(spans)
    return f"no answer in {PATIENCE:.0f} s" if value >= PATIENCE else f"{value * 1000:,.1f} ms"


def main() -> None:
    """Print the figures of each way."""
    print(f"{WAITS:,} commands that wait, {os.cpu_count()} cores")
    for side, name in SIDES.items():
        figures = measure(side)
        print(f"{name}:")
        print(f"  {figures['threads']} threads, {figures['memory'] / 1024:.0f} MiB")
        for when in ("idle", "waiting"):
            spans = figures[when]
            middle, longest = milliseconds(spans, statistics.median), milliseconds(spans, max)
            print(f"  /health, {when}: median {middle}, longest {longest}")
        print(
            f"  all devices had answered after {figures['answered']:.1f} s, all requests after {figures['end']:.1f} s "
            f"({figures['left']} left); {figures['calls']:,} calls to the platform",
            flush=True,
        )


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        serve(*sys.argv[2:])
    else:
        main()
