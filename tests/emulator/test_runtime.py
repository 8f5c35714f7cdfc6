from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from iot_northbound.emulator.durable import DataDirError, Durable
from iot_northbound.emulator.runtime import Runtime
from iot_northbound.emulator.state.kernel import Request
from iot_northbound.emulator.state.settings import Settings


def run(act: Callable[[Runtime], Awaitable[None]], data_dir: Path | None = None) -> None:
    async def work() -> None:
        runtime = Runtime(Settings(), ssl.create_default_context(), data_dir)
        try:
            await act(runtime)
        finally:
            await runtime.aclose()

    asyncio.run(work())


def test_a_failed_action_leaves_nothing_on_disk(tmp_path: Path) -> None:
    async def act(runtime: Runtime) -> None:
        def fail() -> None:
            runtime.platform.meta.put("trace", {"left": True})
            raise LookupError("no")

        with pytest.raises(LookupError):
            await runtime.execute(fail)
        await runtime.execute(lambda: runtime.platform.meta.put("kept", {"n": 1}))

    run(act, tmp_path)
    durable = Durable(tmp_path)
    keys = {key for table, key, _ in durable.rows() if table == "meta"}
    durable.close()
    assert "kept" in keys
    assert "trace" not in keys


def test_what_ships_with_the_platform_does_not_come_back_after_it_was_deleted(tmp_path: Path) -> None:
    async def delete(runtime: Runtime) -> None:
        models = runtime.platform.table("models")
        await runtime.execute(lambda: models.delete(next(iter(models.rows))))
        deleted.append(len(models))

    async def count(runtime: Runtime) -> None:
        assert len(runtime.platform.table("models")) == deleted[0]

    deleted: list[int] = []
    run(delete, tmp_path)
    run(count, tmp_path)


def test_even_a_reader_is_answered_only_when_what_it_saw_is_kept(tmp_path: Path) -> None:
    async def act(runtime: Runtime) -> None:
        assert runtime.durable is not None
        await runtime.settled()
        runtime.platform.meta.put("new", {"n": 1})
        runtime.noted()
        waiting = asyncio.ensure_future(runtime.settled())
        runtime.handle(Request("GET", "/nowhere"))  # changes nothing itself
        await asyncio.wait_for(waiting, 5)
        assert runtime.durable._written == runtime.durable._taken

    run(act, tmp_path)


def test_a_disk_that_fails_is_told_to_who_waits(tmp_path: Path) -> None:
    async def act(runtime: Runtime) -> None:
        with pytest.raises(DataDirError):
            await runtime.execute(lambda: runtime.platform.meta.put("bad", {"n": {1, 2}}))

    run(act, tmp_path)


def test_a_pause_ends_with_the_emulator() -> None:
    async def act(runtime: Runtime) -> None:
        pause = asyncio.ensure_future(runtime.pause(1_000))
        await asyncio.sleep(0)
        runtime.closing.set()
        await asyncio.wait_for(pause, 5)

    run(act)
