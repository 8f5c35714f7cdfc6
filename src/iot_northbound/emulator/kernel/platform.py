"""The platform without HTTP: one request in, one answer out, and time.

It is synchronous and single-threaded: its caller (a server's loop, a test) uses one thread at a time. Its rules are
declared before it is made, by importing `iot_northbound.emulator.rules`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from iot_northbound.emulator.kernel.calls import INTERNAL, Answer, Call, Refusal, Request
from iot_northbound.emulator.kernel.clock import Clock, time_text
from iot_northbound.emulator.kernel.ids import Ids
from iot_northbound.emulator.kernel.routing import GUARDS, HOOKS, ROUTES, TABLES, TIMERS
from iot_northbound.emulator.kernel.settings import Settings
from iot_northbound.emulator.kernel.store import Row, Store, Table

log = logging.getLogger("iot_northbound.emulator")

DUE_AT_ONCE = 100
"""How many due timers a call runs first. If a hundred thousand are due together, each call runs some of them."""
HINTS = 1_000
"""How many different hints a platform writes to the log in its life."""
ROUNDS = 100_000
"""How often `advance` looks for timers at one moment, which is far beyond the largest task."""


class Platform:
    """The whole platform: its state, its time, its rules.

    Args:
        settings: The settings of this deployment.
        clock: The time; real time by default.
        ids: Makes ids and tokens; random ones by default.
    """

    def __init__(self, settings: Settings | None = None, clock: Clock | None = None, ids: Ids | None = None) -> None:
        self.settings = settings or Settings()
        self.clock = clock or Clock()
        self.ids = ids or Ids()
        self.store = Store()
        self.table: Callable[[str], Table] = self.store.tables.__getitem__
        """Returns a declared table."""
        self.recent_calls: dict[str, Any] = {}
        """When each application called in the last minute. It is not part of the state, so a restart forgets it."""
        self.pushes_under_way: dict[str, bool] = {}
        """By pushId, whether a push that is being sent has been dropped meanwhile; not part of the state."""
        self._hinted: set[str] = set()
        self.meta = self.store.table("meta", ())
        self.timers = self.store.table("timers", ("due", "seq"))
        for name, order in TABLES.items():
            self.store.table(name, order)
        self.emit("start")

    def hint(self, subject: str, text: str) -> None:
        """Warn in the log of something that the platform accepts but that is probably a mistake; once per subject."""
        if subject not in self._hinted and len(self._hinted) < HINTS:
            self._hinted.add(subject)
            log.warning("%s (this is logged once)", text)

    # --- time ---

    def now(self) -> float:
        """Return the platform's time in epoch seconds."""
        return self.clock.now()

    def now_text(self) -> str:
        """Return the platform's time as its answers write it."""
        return time_text(self.clock.now())

    def at(self, due: float, kind: str, **args: Any) -> str:
        """Run the timer rule of this kind with these JSON arguments at a time; return an id for `cancel`."""
        if kind not in TIMERS:
            raise ValueError(f"no rule for timers of kind {kind!r}")
        seq = self.next_seq()
        self.timers.put(str(seq), {"due": due, "seq": seq, "kind": kind, "args": args})
        return str(seq)

    def after(self, delay: float, kind: str, **args: Any) -> str:
        """Run a timer rule so many seconds from now. See `at`."""
        return self.at(self.now() + delay, kind, **args)

    def cancel(self, timer_id: str | None) -> None:
        """Forget a timer; None, or a timer that has run, is not an error."""
        if timer_id is not None:
            self.timers.delete(timer_id)

    def next_due(self) -> float | None:
        """Return when the next timer is due, or None."""
        first = self.timers.where().first()
        return None if first is None else first["due"]

    def run_due(self, at_most: int | None = None) -> int:
        """Run all timers that are due, or so many of them, in order of their due times; return how many ran."""
        # New timers for this same moment wait for the next run: a timer that always renews itself cannot block it.
        last = self.meta.rows.get("sequence", _NO_SEQUENCE)["value"]
        now, ran = self.now(), 0
        while ran != at_most and (first := self.timers.where().first()) is not None:
            if first["due"] > now or first["seq"] > last:
                break
            ran += 1
            self._run_timer(first)
        return ran

    def _run_timer(self, row: Row) -> None:
        self.timers.delete(str(row["seq"]))
        try:
            self.work(TIMERS[row["kind"]], self, **row["args"])
        except Exception:
            # A timer has no caller: the work is undone, the failure is logged, and time goes on.
            log.exception("timer %s failed", row["kind"])

    def advance(self, seconds: float) -> None:
        """Move time forward, and run each timer at its due time on the way.

        Raises:
            ValueError: The number is negative. The platform's time never runs backwards.
        """
        if not seconds >= 0:
            raise ValueError(f"time can only be advanced; got {seconds!r} seconds")
        target = self.now() + seconds
        rounds = 0
        while (due := self.next_due()) is not None and due <= target:
            rounds = 0 if due > self.now() else rounds + 1
            if rounds > ROUNDS:
                log.error("timers renew one another for the same moment without end; time goes on without them")
                break
            self.clock.move_to(max(due, self.now()))
            self.run_due()
        self.clock.move_to(max(target, self.now()))
        self._keep_clock()

    def freeze(self, at: float | None = None) -> None:
        """Freeze the clock, now or at the given epoch second."""
        self.clock.freeze(at)
        self._keep_clock()

    def thaw(self) -> None:
        """Let time run again, from the frozen moment."""
        self.clock.thaw()
        self._keep_clock()

    def _keep_clock(self) -> None:
        self.meta.put("clock", dict(self.clock.state()))

    # --- state ---

    def next_seq(self) -> int:
        """Return the next number of the platform's sequence. It orders rows that are made at the same moment."""
        value = self._last_seq() + 1
        self.meta.put("sequence", {"value": value})
        return value

    def _last_seq(self) -> int:
        value: int = self.meta.rows.get("sequence", _NO_SEQUENCE)["value"]
        return value

    def seed_ids(self, seed: str | None) -> None:
        """Make ids from a seed from now on; None makes them random again."""
        self.ids.seed, self.ids.counter = seed, 0
        self.meta.delete("ids")

    def work(self, action: Callable[..., Any], *args: Any, **named: Any) -> Any:
        """Run an action as a whole: if it raises, everything that it changed is undone.

        Inside another action it is part of that one.
        """
        if self.store.working:
            return action(*args, **named)
        self.store.begin()
        try:
            result = action(*args, **named)
        except BaseException:
            self.store.rollback()
            raise
        self.store.commit()
        return result

    def load(self, rows: Any) -> None:
        """Go on from rows that were stored: state, timers, clock and id counter.

        Without any rows this is a first start: the rows that the platform begins with then count as changed.

        Raises:
            ValueError: they are not rows of this version.
        """
        kept = list(rows)
        known = {"meta", "timers", *TABLES}
        for name, _, _ in kept:
            if name not in known:
                raise ValueError(f"there is no table {name!r}")
        if kept:
            try:
                self.store.load(kept)
                self._resume()
                whole = type(self._last_seq()) is int and isinstance(self.now(), int | float)
            except (LookupError, TypeError, AttributeError, ArithmeticError) as error:
                raise ValueError(f"a row has another shape ({type(error).__name__}: {error})") from error
            if not whole:
                raise ValueError("the clock, or what numbers the rows, is not a number")

    def dump(self) -> dict[str, dict[str, Row]]:
        """Return the whole state as JSON (a snapshot)."""
        self._keep_clock()
        self._keep_ids()
        return self.store.dump()

    def restore(self, dump: dict[str, dict[str, Row]]) -> None:
        """Replace the whole state by a snapshot."""
        self.store.restore(dump)
        self.pushes_under_way.clear()
        self._resume()

    def reset(self) -> None:
        """Forget all state except the applications, the clock and the ids' seed."""
        self._empty(self.store.dump().get("applications", {}))

    def start_over(self) -> None:
        """Forget all state, the applications and the ids' seed too, and what was hinted at; the time is real."""
        self.clock.resume({"offset": 0.0, "frozen": None})
        self.seed_ids(None)
        self._hinted.clear()
        self._empty({})

    def _empty(self, applications: dict[str, Row]) -> None:
        self.store.restore({"applications": applications})
        self.recent_calls.clear()
        self.pushes_under_way.clear()
        self._keep_clock()
        self._keep_ids()
        self.emit("start")

    def take_changes(self) -> list[tuple[str, str, Row | None]]:
        """Return the rows that changed since the last call, for the durable layer."""
        self._keep_ids()
        return self.store.take_changes()

    def _keep_ids(self) -> None:
        kept = {"seed": self.ids.seed, "counter": self.ids.counter}
        if self.ids.seed is not None and self.meta.rows.get("ids") != kept:
            self.meta.put("ids", kept)

    def _resume(self) -> None:
        if (clock := self.meta.get("clock")) is not None:
            self.clock.resume(clock)
        ids = self.meta.get("ids") or {"seed": None, "counter": 0}
        self.ids.seed, self.ids.counter = ids["seed"], ids["counter"]
        self.work(lambda: self.emit("resumed"))

    # --- events ---

    def emit(self, event: str, *args: Any, **named: Any) -> None:
        """Run the hooks that rule modules declared for an event."""
        for hook in HOOKS.get(event, ()):
            hook(self, *args, **named)

    def notify(self, app_id: str, notify_type: str, body: Row) -> None:
        """Hand over a notification for delivery (the hook of the event "notify")."""
        self.emit("notify", app_id, notify_type, body)

    # --- calls ---

    def handle(self, request: Request) -> Answer:
        """Answer a call. It never raises: an unexpected failure becomes the documented internal error."""
        try:
            self.run_due(DUE_AT_ONCE)
            found = ROUTES.find(request.path)
            if found is None:
                return _NO_SUCH_PATH.answer()
            routes, ids = found
            route = routes.get(request.method)
            if route is None:
                return _NO_SUCH_METHOD.answer()
            answer: Answer = self.work(self._serve, Call(request, route, ids))
        except Refusal as refusal:
            return refusal.answer()
        except Exception:
            log.exception("%s %s failed inside", request.method, request.path)
            return Refusal(*INTERNAL).answer()
        return answer

    def _serve(self, call: Call) -> Answer:
        if call.route.guarded:
            for guard in GUARDS:
                guard(self, call)
        return call.route.rule(self, call)


_NO_SEQUENCE: Row = {"value": 0}
_NO_SUCH_PATH = Refusal(404, "50404", "The platform has no API at this path; check it against the reference.")
_NO_SUCH_METHOD = Refusal(405, "50405", "The API at this path does not take this method.")
