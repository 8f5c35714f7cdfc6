"""The platform without HTTP: one request in, one answer out, and time.

Synchronous and single-threaded: whoever drives it (a server's loop, a test) calls from one thread at a time.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from iot_northbound.emulator.state import RULE_MODULES
from iot_northbound.emulator.state.clock import Clock, time_text
from iot_northbound.emulator.state.ids import Ids
from iot_northbound.emulator.state.routing import HOOKS, ROUTES, TABLES, TIMERS, Route
from iot_northbound.emulator.state.settings import Settings
from iot_northbound.emulator.state.store import Row, Store, Table
from iot_northbound.error_codes import ERROR_CODES

log = logging.getLogger("iot_northbound.emulator")

INTERNAL = (500, "50252")
DUE_AT_ONCE = 100
"""How many due timers a call waits for: when a hundred thousand fall due together, each call lets some of them run."""
HINTS = 1_000
"""How many different hints a platform gives in its life."""
ROUNDS = 100_000
"""How often `advance` looks for timers at one moment, which is far beyond the largest task."""
MALFORMED: Any = object()
"""The body of a request whose bytes were no JSON; each endpoint answers it with its own documented code."""


class Refusal(Exception):
    """A call the platform refuses: answered as an error body, and all it did so far is undone.

    `gateway` chooses the shape of the API gateway in front (resultcode, resultmsg).
    """

    def __init__(self, status: int, code: str, desc: str | None = None, *, gateway: bool = False) -> None:
        self.status = status
        self.code = code
        self.desc = meaning(code) if desc is None else desc
        self.gateway = gateway
        super().__init__(f"{status} {code} {self.desc}")

    def answer(self) -> Answer:
        """Return it as an answer."""
        if self.gateway:
            return Answer(self.status, {"resultcode": self.code, "resultmsg": self.desc})
        return Answer(self.status, {"error_code": self.code, "error_desc": self.desc})


def meaning(code: str) -> str:
    """Return what a platform code means, as `error_desc` carries it."""
    known = ERROR_CODES.get(code)
    return known.meaning if known is not None else "The request was refused."


@dataclass(slots=True)
class Request:
    """A call as it arrived.

    `path` is still percent-encoded and has no query; `query` is decoded; `body` is JSON, None, or MALFORMED; `form`
    holds a form-encoded body; `token` is the bearer token without its scheme.
    """

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: Any = field(default=None, repr=False)
    form: Mapping[str, str] | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    app_key: str | None = None


@dataclass(slots=True)
class Answer:
    """What goes back: a status, and JSON or nothing."""

    status: int
    body: Any = None


@dataclass(slots=True)
class Call:
    """A request on its way to its rule: routed, authenticated, with the application it acts for.

    `caller` is the application that holds the token; `app_id` the one acted for, which is another one when the query
    names one that has authorised the caller. `ids` are the path's values in the template's order.
    """

    request: Request
    route: Route
    ids: list[str]
    caller: str = ""
    app_id: str = ""

    @property
    def query(self) -> Mapping[str, str]:
        """The query's fields, decoded."""
        return self.request.query

    @property
    def body(self) -> Any:
        """The JSON body, None or MALFORMED; read it through a Shape."""
        return self.request.body


class Platform:
    """The whole platform: its state, its time, its rules.

    Args:
        settings: What this deployment chose.
        clock: The time; real time by default.
        ids: Where ids and tokens come from; chance by default.
    """

    def __init__(self, settings: Settings | None = None, clock: Clock | None = None, ids: Ids | None = None) -> None:
        self.settings = settings or Settings()
        self.clock = clock or Clock()
        self.ids = ids or Ids()
        self.store = Store()
        self.recent_calls: dict[str, Any] = {}
        """Flow control's memory; not part of the state, so that a restart forgives."""
        self._hinted: set[str] = set()
        for name in RULE_MODULES:
            import_module(f"{__package__}.{name}")
        self.meta = self.store.table("meta", ())
        self.timers = self.store.table("timers", ("due", "seq"))
        for name, order in TABLES.items():
            self.store.table(name, order)
        self.emit("start")

    def hint(self, subject: str, text: str) -> None:
        """Warn in the log of what the platform takes, but hardly was meant; once for each subject."""
        if subject not in self._hinted and len(self._hinted) < HINTS:
            self._hinted.add(subject)
            log.warning("%s (said once)", text)

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
        """As `at`, a number of seconds from now."""
        return self.at(self.now() + delay, kind, **args)

    def cancel(self, timer_id: str | None) -> None:
        """Forget a timer; None, or one that has run, is no error."""
        if timer_id is not None:
            self.timers.delete(timer_id)

    def next_due(self) -> float | None:
        """Return when the next timer is due, or None."""
        first = self.timers.where().first()
        return None if first is None else first["due"]

    def run_due(self, at_most: int | None = None) -> int:
        """Run the timers that are due, in order of their due times, all of them or so many; return how many ran."""
        # Timers set meanwhile for this same moment wait for the next run: one that always renews itself cannot hang us.
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
            # A timer has nobody to answer to: the work is undone, the failure is told, time goes on.
            log.exception("timer %s failed", row["kind"])

    def advance(self, seconds: float) -> None:
        """Move time forward, stopping at each due time on the way to run its timers.

        Raises:
            ValueError: The number is negative: the platform's time never runs backwards.
        """
        if not seconds >= 0:
            raise ValueError(f"time can only be advanced; got {seconds!r} seconds")
        target = self.now() + seconds
        rounds = 0
        while (due := self.next_due()) is not None and due <= target:
            rounds = 0 if due > self.now() else rounds + 1
            if rounds > ROUNDS:
                log.error("timers set one another for the same moment without end; time goes on without them")
                break
            self.clock.move_to(max(due, self.now()))
            self.run_due()
        self.clock.move_to(max(target, self.now()))
        self._keep_clock()

    def freeze(self, at: float | None = None) -> None:
        """Let time stand still, now or at the given epoch second."""
        self.clock.freeze(at)
        self._keep_clock()

    def thaw(self) -> None:
        """Let time run again, from where it stands."""
        self.clock.thaw()
        self._keep_clock()

    def _keep_clock(self) -> None:
        self.meta.put("clock", dict(self.clock.state()))

    # --- state ---

    def table(self, name: str) -> Table:
        """Return a declared table."""
        return self.store[name]

    def next_seq(self) -> int:
        """Return the next of a growing row of numbers; it orders rows that are made at the same moment."""
        value = self._last_seq() + 1
        self.meta.put("sequence", {"value": value})
        return value

    def _last_seq(self) -> int:
        value: int = self.meta.rows.get("sequence", _NO_SEQUENCE)["value"]
        return value

    def seed_ids(self, seed: str | None) -> None:
        """Take ids from a seed from now on, or from chance again with None."""
        self.ids.seed, self.ids.counter = seed, 0
        self.meta.delete("ids")

    def work(self, action: Callable[..., Any], *args: Any, **named: Any) -> Any:
        """Run an action that either is kept whole or, when it raises, leaves no trace.

        Inside another piece of work it is part of that one.
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
        """Go on from rows that durability kept: state, timers, clock and id counter.

        No rows at all are a first start: what the platform begins with then counts as changed, to be kept.

        Raises:
            ValueError: they are not what this version keeps.
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
                raise ValueError("the clock, or what numbers the rows, is no number")

    def dump(self) -> dict[str, dict[str, Row]]:
        """Return the whole state as JSON (a snapshot)."""
        self._keep_clock()
        self._keep_ids()
        return self.store.dump()

    def restore(self, dump: dict[str, dict[str, Row]]) -> None:
        """Replace the whole state by a snapshot."""
        self.store.restore(dump)
        self._resume()

    def reset(self) -> None:
        """Forget all state but the applications, the clock and the ids' seed, as after the first start."""
        keep = self.store.dump().get("applications", {})
        self.store.restore({"applications": keep})
        self.recent_calls.clear()
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

    # --- events ---

    def emit(self, event: str, *args: Any, **named: Any) -> None:
        """Run the hooks that rule modules declared for an event."""
        for hook in HOOKS.get(event, ()):
            hook(self, *args, **named)

    def notify(self, app_id: str, notify_type: str, body: Row) -> None:
        """Hand a notification to whoever delivers them (the hook of event "notify")."""
        self.emit("notify", app_id, notify_type, body)

    # --- calls ---

    def handle(self, request: Request) -> Answer:
        """Answer a call. Never raises: whatever goes wrong inside becomes the documented internal error."""
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
            _guard(self, call)
        return call.route.rule(self, call)


def _guard(platform: Platform, call: Call) -> None:
    # Imported late: auth and flow are rule modules, which import this one.
    from iot_northbound.emulator.state import auth, flow

    auth.authenticate(platform, call)
    flow.count(platform, call)
    auth.authorise(platform, call)


_NO_SEQUENCE: Row = {"value": 0}
_NO_SUCH_PATH = Refusal(404, "50404", "The platform has no API at this path; check it against the reference.")
_NO_SUCH_METHOD = Refusal(405, "50405", "The API at this path does not take this method.")
