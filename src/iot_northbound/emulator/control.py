"""The control plane as a Python object: what a test does to the platform behind the API's back."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from functools import partial, wraps
from typing import Any, TypeVar, cast

from iot_northbound.emulator import seed as seeding
from iot_northbound.emulator.faults import Fault
from iot_northbound.emulator.runtime import SETTINGS, Runtime
from iot_northbound.emulator.state import (
    auth,
    command_flow,
    devices,
    events,
    invoke,
    models,
    notifications,
    packages,
    scripted,
    transitions,
    upgrade_flow,
)
from iot_northbound.emulator.state.clock import time_text

F = TypeVar("F", bound=Callable[..., Any])
Row = dict[str, Any]

SEED_AT_ONCE = 2_000
"""Devices made in one go; the API is served between two goes."""


class NotFound(LookupError):
    """Raised when what an operation names is not there; the text says what."""


def operation(*, whole: bool = True) -> Callable[[F], F]:
    """Let a method run on the emulator's loop, from whatever thread it is called, and return when it is durable."""

    def decorate(method: F) -> F:
        @wraps(method)
        def call(self: Control, *args: Any, **named: Any) -> Any:
            return self._runtime.from_any_thread(partial(method, self, *args, **named), whole=whole)

        call.whole = whole  # type: ignore[attr-defined]
        return cast(F, call)

    return decorate


class Control:
    """Operations on a running emulator. Each is whole or not done at all, and durable when it returns.

    Every method may be called from any thread but the emulator's own; the HTTP control plane offers the same. Times are
    seconds. Unknown things raise NotFound, bad values ValueError.
    """

    def __init__(self, runtime: Runtime, facts: Callable[[], Mapping[str, Any]]) -> None:
        self._runtime = runtime
        self._platform = runtime.platform
        self._facts = facts
        self._snapshots: dict[str, dict[str, dict[str, Row]]] = {}
        self._started = time.monotonic()

    # --- the platform as a whole ---

    @operation()
    def health(self) -> Row:
        """Return that it runs, where, for how long, and how much it holds."""
        tables = self._platform.dump()
        return {
            "status": "ok",
            **self._facts(),
            "uptime": round(time.monotonic() - self._started, 3),
            "durable": self._runtime.durable is not None,
            "rows": {name: len(rows) for name, rows in sorted(tables.items()) if rows},
        }

    @operation(whole=False)
    def reset(self) -> None:
        """Forget all state but the applications, all faults, and the journal; let the clock tell real time.

        Settings stay as they are.
        """
        with self._settings_kept():
            self._platform.reset()
        self._runtime.faults.clear()
        self._runtime.journal.clear()
        self._platform.clock.resume({"offset": 0.0, "frozen": None})
        self._platform.thaw()

    @operation(whole=False)
    def snapshot(self, name: str = "default") -> None:
        """Keep the whole state under a name, for as long as the emulator runs."""
        self._snapshots[name] = self._platform.dump()

    @operation(whole=False)
    def restore(self, name: str = "default") -> None:
        """Go back to a snapshot, clock and tokens included; settings stay as they are."""
        if name not in self._snapshots:
            raise NotFound(f"no snapshot {name!r}; there are: {', '.join(self._snapshots) or 'none'}")
        with self._settings_kept():
            self._platform.restore(self._snapshots[name])

    @operation()
    def snapshots(self) -> list[str]:
        """Return the names of the snapshots."""
        return list(self._snapshots)

    @operation()
    def settings(self) -> Row:
        """Return the platform's settings."""
        return asdict(self._platform.settings)

    @operation()
    def change_settings(self, **changes: Any) -> Row:
        """Change settings by name and return them all; with a data directory they outlive a restart."""
        known = asdict(self._platform.settings)
        if unknown := sorted(set(changes) - set(known)):
            raise ValueError(f"unknown setting {unknown[0]!r}; known are {', '.join(known)}")
        if changes.get("transitions", "timed") not in transitions.MODES:
            raise ValueError(f"transitions must be one of {', '.join(transitions.MODES)}")
        for name, value in changes.items():
            setattr(self._platform.settings, name, value)
        self._platform.meta.put(SETTINGS, {**(self._platform.meta.get(SETTINGS) or {}), **changes})
        return asdict(self._platform.settings)

    @operation()
    def seed_ids(self, seed: str | None) -> None:
        """Take ids, tokens and keys from a seed from now on, so that runs repeat; None goes back to chance."""
        self._platform.seed_ids(seed)

    def seed(
        self, count: int, *, app_id: str | None = None, prefix: str = "seed", product_id: str | None = None
    ) -> int:
        """Register devices, activated and with a shadow, and return how many.

        Args:
            count: How many; their nodeIds are the prefix and a running number.
            app_id: Their application; the emulator's own by default.
            prefix: What their nodeIds begin with.
            product_id: Their product model; the shipped water meter by default.
        """
        for first in range(0, count, SEED_AT_ONCE):
            self.seed_some(first, min(SEED_AT_ONCE, count - first), app_id=app_id, prefix=prefix, product_id=product_id)
        return count

    @operation()
    def seed_some(
        self, first: int, count: int, *, app_id: str | None = None, prefix: str = "seed", product_id: str | None = None
    ) -> int:
        """Register devices numbered from `first`, in one go."""
        owner = self._application(app_id)
        return seeding.make_devices(self._platform, owner, first, count, prefix=prefix, product_id=product_id)

    # --- time ---

    @operation()
    def clock(self) -> Row:
        """Return the platform's time, and whether it stands still."""
        now = self._platform.now()
        return {"now": now, "text": time_text(now), "frozen": self._platform.clock.frozen}

    @operation(whole=False)
    def freeze(self, at: float | None = None) -> None:
        """Let time stand still, now or at an epoch second."""
        self._platform.freeze(at)

    @operation(whole=False)
    def advance(self, seconds: float) -> None:
        """Move time forward; what falls due on the way happens in its order, without waiting."""
        self._platform.advance(seconds)

    @operation(whole=False)
    def thaw(self) -> None:
        """Let time run again, from where it stands."""
        self._platform.thaw()

    @operation()
    def held_steps(self) -> list[Row]:
        """Return the state transitions that wait for `release` (setting `transitions` "manual"), oldest first."""
        return list(transitions.held(self._platform).where())

    @operation()
    def release(self, count: int | None = None, kind: str | None = None) -> list[Row]:
        """Let held transitions happen, oldest first; all of them, or so many, or those of a kind. Return them."""
        return transitions.release(self._platform, count, kind)

    # --- faults and journal ---

    @operation()
    def add_fault(self, kind: str, **fields: Any) -> Row:
        """Put a fault in force and return it with its id; for kinds and fields see `faults.Fault`."""
        return self._runtime.faults.add(Fault.parse({"kind": kind, **fields})).describe()

    @operation()
    def faults(self) -> list[Row]:
        """Return the faults in force, with how often each struck."""
        return self._runtime.faults.list_()

    @operation()
    def remove_fault(self, fault_id: str) -> None:
        """Lift one fault."""
        if not self._runtime.faults.remove(fault_id):
            raise NotFound(f"no fault {fault_id!r} is in force")

    @operation()
    def clear_faults(self) -> None:
        """Lift all faults."""
        self._runtime.faults.clear()

    @operation()
    def seed_faults(self, seed: int) -> None:
        """Throw the dice of the faults' probabilities from a seed."""
        self._runtime.faults.reseed(seed)

    @operation()
    def journal(
        self, *, kind: str | None = None, endpoint: str | None = None, since: int = 0, limit: int = 1_000
    ) -> list[Row]:
        """Return the newest calls and pushes, oldest first; see `journal.Journal.entries`."""
        return self._runtime.journal.entries(kind=kind, endpoint=endpoint, since=since, limit=limit)

    @operation()
    def clear_journal(self, *, bodies: bool | None = None) -> None:
        """Forget the journal; from then on note bodies too, redacted, or not."""
        self._runtime.journal.clear()
        if bodies is not None:
            self._runtime.journal.bodies = bodies

    @operation()
    def pushes(self) -> Row:
        """Return how many pushes were queued, delivered and dropped, wait, and are being sent."""
        return {**notifications.totals(self._platform), "underWay": self._runtime.pushes.under_way}

    # --- what an operator of the platform does ---

    @operation()
    def add_application(self, app_id: str | None = None, secret: str | None = None) -> Row:
        """Add an application, or give an existing one another secret; return its appId and secret."""
        row = auth.add_application(self._platform, app_id, secret)
        return {"appId": row["appId"], "secret": row["secret"]}

    @operation()
    def remove_application(self, app_id: str) -> None:
        """Remove an application; its devices stay, without anyone who may ask for them."""
        auth.remove_application(self._platform, self._application(app_id))

    @operation()
    def authorise(self, owner: str, guest: str, allowed: bool = True) -> None:
        """Let one application act for another (`appId` in its queries), or end that."""
        auth.authorise_application(self._platform, self._application(owner), guest, allowed=allowed)

    @operation()
    def freeze_application(self, app_id: str, frozen: bool = True) -> None:
        """Take from an application the permission to log in, or give it back."""
        auth.freeze_application(self._platform, self._application(app_id), frozen=frozen)

    @operation()
    def add_model(self, model: Row, app_id: str | None = None) -> Row:
        """Add a product model, or replace the one of the same productId; return it."""
        return models.add_model(self._platform, self._application(app_id), model)

    @operation()
    def delete_model(self, product_id: str) -> None:
        """Delete a product model; its devices stay, without capabilities."""
        try:
            models.delete_model(self._platform, product_id)
        except KeyError:
            raise NotFound(f"no product model {product_id!r}") from None

    @operation()
    def add_package(self, package: Row, app_id: str | None = None) -> Row:
        """Add a version package (software or firmware) and return it with its fileId."""
        return packages.add(self._platform, self._application(app_id), package)

    # --- devices ---

    @operation()
    def report(self, device_id: str, service_id: str, data: Row, event_time: str | None = None) -> None:
        """Let a device report data, as its radio would: it is active and online from then on.

        Args:
            device_id: The device.
            service_id: A service of its model.
            data: The service's properties.
            event_time: Time text, as in `20250301T101500Z`; now by default.
        """
        devices.report(self._platform, self._device(device_id), service_id, data, event_time)

    @operation()
    def activate(self, device_id: str) -> None:
        """Let a device show up for the first time."""
        devices.activate(self._platform, self._device(device_id))

    @operation()
    def set_online(self, device_id: str, online: bool = True) -> None:
        """Bring a device online, or take it offline."""
        act = devices.set_online if online else devices.set_offline
        act(self._platform, self._device(device_id))

    @operation()
    def add_sub_device(self, gateway_id: str, node_id: str, **info: str) -> Row:
        """Let a gateway report a device behind it; return the new device's deviceId."""
        row = devices.add_sub_device(self._platform, self._device(gateway_id), node_id, **info)
        return {"deviceId": row["deviceId"]}

    @operation()
    def report_info(self, device_id: str, **fields: str) -> None:
        """Let a device tell about itself: firmware version, battery level, …; see `state.devices.REPORTABLE`."""
        devices.report_info(self._platform, self._device(device_id), **fields)

    @operation()
    def script(self, device_id: str, **behaviour: Any) -> Row:
        """Let a device act by a script from now on; for its fields see `state.scripted.attach`."""
        return scripted.attach(self._platform, self._device(device_id), **behaviour)

    @operation()
    def unscript(self, device_id: str) -> None:
        """Take a device's script away."""
        scripted.detach(self._platform, self._device(device_id))

    @operation()
    def mute(self, device_id: str, service_id: str, methods: list[str]) -> None:
        """Set which commands of a device's service are muted (100432)."""
        invoke.mute(self._platform, self._device(device_id), service_id, methods)

    @operation()
    def device_event(self, device_id: str, service_id: str, event_type: str, body: Row) -> None:
        """Let a device send an event message (deviceEvent)."""
        events.device_event(self._platform, self._device(device_id), service_id, event_type, body)

    @operation()
    def fire_rule(
        self, rule_id: str, rule_name: str, reasons: list[Row], actions: list[Row], app_id: str | None = None
    ) -> None:
        """Push what a rule of an application would push when it fires (ruleEvent)."""
        app_id = self._application(app_id)
        events.fire_rule(self._platform, app_id, rule_id, rule_name, reasons=reasons, actions=actions)

    @operation()
    def answer_command(self, command_id: str, ok: bool | None = None, detail: Row | None = None) -> str:
        """Acknowledge a command that was sent, for a device without a script, and answer it unless ok is None.

        Returns:
            The command's status after it.
        """
        if command_id not in command_flow.commands(self._platform):
            raise NotFound(f"no command {command_id!r}")
        command_flow.delivered(self._platform, command_id)
        if ok is not None:
            command_flow.answered(self._platform, command_id, ok=ok, detail=detail)
        status: str = command_flow.commands(self._platform)[command_id]["status"]
        return status

    @operation()
    def move_upgrade(self, sub_operation_id: str, state: str | None = None, ok: bool | None = None) -> None:
        """Let a device without a script reach a state of its upgrade, and end it unless ok is None."""
        if sub_operation_id not in self._platform.table(upgrade_flow.SUB_OPERATIONS):
            raise NotFound(f"no part of an upgrade {sub_operation_id!r}")
        if state is not None:
            upgrade_flow.report_state(self._platform, sub_operation_id, state)
        if ok is not None:
            upgrade_flow.finish(self._platform, sub_operation_id, ok=ok)

    @operation()
    def stop_upgrade(self, operation_id: str) -> None:
        """Stop what of an upgrade has not ended."""
        if operation_id not in self._platform.table(upgrade_flow.OPERATIONS):
            raise NotFound(f"no upgrade {operation_id!r}")
        upgrade_flow.stop(self._platform, operation_id)

    @contextlib.contextmanager
    def _settings_kept(self) -> Iterator[None]:
        # They are no part of the platform's state, though their changes are kept beside it.
        kept = self._platform.meta.get(SETTINGS)
        yield
        if kept is not None:
            self._platform.meta.put(SETTINGS, kept)
        else:
            self._platform.meta.delete(SETTINGS)

    def _application(self, app_id: str | None) -> str:
        wanted: str = app_id or self._facts()["app_id"]
        if self._platform.table(auth.APPLICATIONS).get(wanted) is None:
            raise NotFound(f"no application {wanted!r}")
        return wanted

    def _device(self, device_id: str) -> str:
        if devices.find(self._platform, device_id) is None:
            raise NotFound(f"no device {device_id!r}")
        return device_id
