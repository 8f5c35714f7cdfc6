from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import ssl
from collections.abc import Awaitable, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from iot_northbound.emulator import runtime as runtime_module
from iot_northbound.emulator.durable import DataDirError, Durable
from iot_northbound.emulator.kernel import routing
from iot_northbound.emulator.kernel.calls import Request
from iot_northbound.emulator.kernel.platform import Platform
from iot_northbound.emulator.kernel.settings import Settings
from iot_northbound.emulator.runtime import Runtime


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


def test_a_deleted_shipped_model_does_not_come_back(tmp_path: Path) -> None:
    async def delete(runtime: Runtime) -> None:
        models = runtime.platform.table("models")
        await runtime.execute(lambda: models.delete(next(iter(models.rows))))
        deleted.append(len(models))

    async def count(runtime: Runtime) -> None:
        assert len(runtime.platform.table("models")) == deleted[0]

    deleted: list[int] = []
    run(delete, tmp_path)
    run(count, tmp_path)


def test_a_read_is_answered_only_when_the_changes_it_saw_are_stored(tmp_path: Path) -> None:
    async def act(runtime: Runtime) -> None:
        assert runtime.durable is not None
        await runtime.settled()
        runtime.platform.meta.put("new", {"n": 1})
        runtime.noted()
        waiting = asyncio.ensure_future(runtime.settled())
        runtime.handle(Request("GET", "/nowhere"))  # changes nothing itself
        await asyncio.wait_for(waiting, 60)
        assert runtime.durable._written == runtime.durable._taken

    run(act, tmp_path)


def test_a_disk_that_fails_is_reported_to_the_waiting_calls(tmp_path: Path) -> None:
    async def act(runtime: Runtime) -> None:
        with pytest.raises(DataDirError):
            await runtime.execute(lambda: runtime.platform.meta.put("bad", {"n": {1, 2}}))

    run(act, tmp_path)


def test_a_pause_ends_with_the_emulator() -> None:
    async def act(runtime: Runtime) -> None:
        pause = asyncio.ensure_future(runtime.pause(1_000))
        await asyncio.sleep(0)
        runtime.closing.set()
        await asyncio.wait_for(pause, 60)

    run(act)


def test_a_watcher_hears_of_the_changes_to_its_tables_and_of_no_others() -> None:
    async def act(runtime: Runtime) -> None:
        heard: list[list[str]] = []
        runtime.watch(("devices",), lambda changes: heard.append([key for _, key, _ in changes]))
        await runtime.execute(lambda: runtime.platform.meta.put("other", {"n": 1}))
        assert heard == []
        put = runtime.platform.table("devices").put
        row = {"created": 1.0, "seq": 1}
        await runtime.execute(lambda: (put("one", row), put("two", row), runtime.platform.meta.put("other", {"n": 2})))
        assert heard == [["one", "two"]]

    run(act)


# --- timers under a clock that stands still ---


class Chain:
    """A timer rule that sets itself again for now, so many times, and reports its end."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, delay: float = 0.0) -> None:
        self.ran, self.delay, self.ended = 0, delay, asyncio.Event()
        monkeypatch.setitem(routing.TIMERS, "chain", self)

    def __call__(self, platform: Platform, left: int) -> None:
        self.ran += 1
        if left:
            platform.after(self.delay, "chain", left=left - 1)
        else:
            self.ended.set()


def test_a_chain_of_timers_due_now_runs_to_its_end_while_the_clock_is_frozen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    chain = Chain(monkeypatch)

    async def act(runtime: Runtime) -> None:
        await runtime.execute(runtime.platform.freeze, whole=False)
        monkeypatch.setattr(runtime.platform, "_serve", lambda _: runtime.platform.after(0, "chain", left=300))
        runtime.handle(Request("GET", "/iocm/app/dm/v1.4.0/devices"))
        await asyncio.wait_for(chain.ended.wait(), 60)

    run(act)
    assert chain.ran == 301


@pytest.mark.parametrize("frozen", [True, False])
def test_work_that_is_due_runs_before_and_after_an_operation(monkeypatch: pytest.MonkeyPatch, frozen: bool) -> None:
    chain = Chain(monkeypatch)

    async def act(runtime: Runtime) -> None:
        if frozen:
            await runtime.execute(runtime.platform.freeze, whole=False)
        runtime.platform.after(0, "chain", left=4)
        seen: list[int] = []

        def action() -> None:
            seen.append(chain.ran)
            runtime.platform.after(0, "chain", left=4)

        await runtime.execute(action)
        assert (seen, chain.ran) == ([5], 10)

    run(act)


def test_timers_due_later_wait_while_the_clock_is_frozen(monkeypatch: pytest.MonkeyPatch) -> None:
    chain = Chain(monkeypatch, delay=1.0)

    async def act(runtime: Runtime) -> None:
        await runtime.execute(runtime.platform.freeze, whole=False)
        await runtime.execute(lambda: runtime.platform.after(0, "chain", left=2))
        assert chain.ran == 1
        for seconds, ran in [(0, 1), (0.5, 1), (0.5, 2), (1, 3)]:
            await runtime.execute(lambda seconds=seconds: runtime.platform.advance(seconds), whole=False)  # type: ignore[misc]
            assert chain.ran == ran

    run(act)


def test_a_chain_without_end_delays_neither_operations_nor_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    def endless(platform: Platform) -> Any:
        platform.after(0, "endless")

    monkeypatch.setitem(routing.TIMERS, "endless", endless)

    async def act(runtime: Runtime) -> None:
        await runtime.execute(runtime.platform.freeze, whole=False)
        await asyncio.wait_for(runtime.execute(lambda: runtime.platform.after(0, "endless")), 60)
        assert runtime.handle(Request("GET", "/nowhere")).status == 404

    run(act)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE rows SET row = '{}'",
        *[f"UPDATE rows SET row = '{{}}' WHERE tab = '{table}'" for table in ("meta", "timers", "models", "tokens")],
        "UPDATE rows SET row = json_set(row, '$.seq', 'text') WHERE tab = 'models' AND key = (SELECT max(key) FROM rows"
        " WHERE tab = 'models')",
        "UPDATE rows SET row = json_remove(row, '$.seq') WHERE tab = 'models'",
        "UPDATE rows SET tab = tab || '1'",
        "INSERT INTO rows VALUES ('customers', 'a', '{}')",
        """UPDATE rows SET row = '{"value": "x"}' WHERE key = 'sequence'""",
        """INSERT OR REPLACE INTO rows VALUES ('meta', 'clock', '{"offset": "x", "frozen": null}')""",
        """INSERT OR REPLACE INTO rows VALUES ('meta', 'clock', '{"offset": 0, "frozen": []}')""",
        """INSERT OR REPLACE INTO rows VALUES ('meta', 'ids', '{"seed": 1}')""",
        """INSERT OR REPLACE INTO rows VALUES ('meta', 'settings', '{"no such setting": 1}')""",
        """INSERT OR REPLACE INTO rows VALUES ('applications', 'a', '{}')""",
    ],
)
def test_rows_of_another_shape_are_refused_with_advice_and_left_as_they_are(tmp_path: Path, change: str) -> None:
    async def begin(runtime: Runtime) -> None:
        def fill() -> None:
            runtime.platform.after(1_000, next(iter(routing.TIMERS)))
            runtime.platform.table("tokens").put("t", {"seq": 1})

        await runtime.execute(fill)

    run(begin, tmp_path)
    file = tmp_path / "state.sqlite3"
    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as database:
        assert database.execute(change).rowcount
    before = file.read_bytes()
    for _ in range(2):  # the folder is let go of
        with pytest.raises(DataDirError, match="move it away") as refused:
            run(begin, tmp_path)
        assert str(file) in str(refused.value)
    assert file.read_bytes() == before


def test_a_thread_whose_work_comes_just_as_the_loop_ends_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[Runtime] = []

    async def act(runtime: Runtime) -> None:
        ended.append(runtime)

    run(act)
    monkeypatch.setattr(runtime_module, "LOOK", 0.01)
    monkeypatch.setattr(ended[0], "closing", asyncio.Event())  # it looked before
    monkeypatch.setattr(asyncio, "run_coroutine_threadsafe", lambda *_: Future())  # the loop took it, and did no more
    with ThreadPoolExecutor(1) as thread, pytest.raises(RuntimeError, match="not running"):
        thread.submit(ended[0].from_any_thread, lambda: None).result(30)
