"""The control plane as a Python object: it changes the platform from outside the API."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from typing import Annotated, Any, Literal, Unpack

from iot_northbound.emulator.control.base import Count, Name, NotFound, Row, Seconds, operation
from iot_northbound.emulator.control.devices import DeviceControl
from iot_northbound.emulator.control.hub import HubControl
from iot_northbound.emulator.control.launch import LaunchKeys
from iot_northbound.emulator.control.mqtt import MqttControl
from iot_northbound.emulator.endpoints import known_endpoint, known_notify_type
from iot_northbound.emulator.faults import Fault, Kind
from iot_northbound.emulator.kernel import transitions
from iot_northbound.emulator.kernel.clock import time_text
from iot_northbound.emulator.kernel.limits import Length, Names, Pattern, Range
from iot_northbound.emulator.kernel.settings import SomeSettings
from iot_northbound.emulator.mqtt.endpoint import MqttEndpoint
from iot_northbound.emulator.rules import applications, events, fleets, models, notifications, packages
from iot_northbound.emulator.runtime import SETTINGS, Runtime

DEVICES_AT_ONCE = 2_000
"""How many devices `add_devices` makes in one piece of work; the API is served between two pieces."""

Packet = Literal["*", "CONNECT", "PUBLISH", "PUBACK", "SUBSCRIBE", "UNSUBSCRIBE", "PINGREQ", "DISCONNECT"]
Headers = Annotated[dict[str, Annotated[str, Pattern("^[ -~]*$")]], Names("^[A-Za-z0-9][A-Za-z0-9-]*$")]


class Control(DeviceControl, MqttControl, HubControl):
    """Operations on a running emulator. Each is done as a whole or not at all, and is durable when it returns.

    Every method may be called from any thread except the emulator's own. The HTTP control plane offers the same
    operations. Times are seconds. If a device, command or other thing does not exist, a method raises NotFound. If a
    value has a wrong type, is out of its range or does not fit, it raises InvalidArgument. The text names the mistake.
    """

    def __init__(
        self, runtime: Runtime, facts: Callable[[], Mapping[str, Any]], mqtt: MqttEndpoint | None = None
    ) -> None:
        super().__init__(runtime, facts, mqtt)
        self._snapshots: dict[str, dict[str, dict[str, Row]]] = {}
        self._started = time.monotonic()
        self.launch_keys = LaunchKeys()

    # --- the platform as a whole ---

    @operation()
    def health(self) -> Row:
        """Return whether it runs, where, for how long, and how many rows it stores."""
        return {
            "status": "ok",
            **self._facts(),
            "uptime": round(time.monotonic() - self._started, 3),
            "durable": self._runtime.durable is not None,
            "rows": self._platform.store.sizes(),
        }

    @operation()
    def console_link(self) -> Row:
        """Return a new link that opens the console page in a browser, once.

        Raises:
            NotFound: The emulator has no control port.
        """
        url = self._facts()["control_url"]
        if url is None:
            raise NotFound("the console page needs the control port, which this emulator does not open")
        return {"link": self.launch_keys.link(url)}

    @operation(whole=False)
    def reset(self) -> None:
        """Forget all state except the applications, all faults and the journal; set the clock to real time.

        Settings stay as they are.
        """
        with self._settings_kept():
            self._runtime.reset()

    @operation(whole=False)
    def start_over(self) -> None:
        """Go back to an empty platform as it was made: nothing that was done to it since then has an effect.

        This is `reset`, and more: the settings are those that the emulator was made with, its own application is the
        only one, there are no snapshots, ids and faults have no seed, the journal notes no bodies, and calls and pushes
        that are still under way are no longer noted.
        """
        self._snapshots.clear()
        self._runtime.start_over()

    @operation(whole=False)
    def snapshot(self, name: str = "default") -> None:
        """Save the whole state under a name, for as long as the emulator runs."""
        self._snapshots[name] = self._platform.dump()

    @operation(whole=False)
    def restore(self, name: str = "default") -> None:
        """Go back to a snapshot, clock and tokens included; settings stay as they are."""
        if name not in self._snapshots:
            raise NotFound(f"no snapshot {name!r}; the snapshots are: {', '.join(self._snapshots) or 'none'}")
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
    def change_settings(self, **changes: Unpack[SomeSettings]) -> Row:
        """Change settings by name and return them all; with a data directory they are kept beyond a restart."""
        for name, value in changes.items():
            setattr(self._platform.settings, name, value)
        self._platform.meta.put(SETTINGS, {**(self._platform.meta.get(SETTINGS) or {}), **changes})
        return asdict(self._platform.settings)

    @operation()
    def seed_ids(self, seed: Name | None) -> None:
        """Make ids, tokens and keys from a seed from now on, so that runs repeat; None makes them by chance again."""
        self._platform.seed_ids(seed)

    @operation(in_pieces=True)
    def add_devices(
        self,
        count: Annotated[int, Range(1, 1_000_000)],
        *,
        app_id: Name | None = None,
        prefix: Annotated[str, Length(1, 40)] = "device",
        product_id: Name | None = None,
    ) -> int:
        """Register many devices, activated and with data in their shadow, and return how many.

        Args:
            count: How many; their nodeIds are the prefix and a number.
            app_id: Their application; the emulator's own by default.
            prefix: What their nodeIds begin with.
            product_id: Their product model; the shipped water meter by default.
        """
        for first in range(0, count, DEVICES_AT_ONCE):
            self._add_some(first, min(DEVICES_AT_ONCE, count - first), app_id, prefix, product_id)
        return count

    @operation()
    def _add_some(self, first: int, count: int, app_id: str | None, prefix: str, product_id: str | None) -> None:
        owner = self._application(app_id)
        fleets.add(self._platform, owner, first, count, prefix=prefix, product_id=product_id)

    # --- time ---

    @operation()
    def clock(self) -> Row:
        """Return the platform's time, and whether it is frozen."""
        now = self._platform.now()
        return {"now": now, "text": time_text(now), "frozen": self._platform.clock.frozen}

    @operation(whole=False)
    def freeze(self, at: Annotated[float, Range(0, 4_000_000_000)] | None = None) -> None:
        """Freeze the clock, now or at another time.

        Args:
            at: Seconds since the epoch; None: now.
        """
        self._platform.freeze(at)

    @operation(whole=False)
    def advance(self, seconds: Seconds) -> None:
        """Move time forward; everything that becomes due on the way happens in its order, without waiting."""
        self._platform.advance(seconds)

    @operation(whole=False)
    def thaw(self) -> None:
        """Let time run again, from the frozen moment."""
        self._platform.thaw()

    @operation()
    def held_steps(self) -> list[Row]:
        """Return the state transitions that wait for `release` (setting `transitions` "manual"), oldest first."""
        return list(transitions.held(self._platform).where())

    @operation()
    def release(self, count: Count | None = None, kind: Name | None = None) -> list[Row]:
        """Let held transitions happen, oldest first, and return them: all, or so many, or those of a kind."""
        return transitions.release(self._platform, count, kind)

    # --- faults and journal ---

    @operation()
    def add_fault(
        self,
        kind: Kind,
        *,
        endpoint: str = "*",
        notify_type: str = "*",
        url: Annotated[str, Length(0, 1024)] = "",
        count: Count | None = None,
        probability: Annotated[float, Range(0, 1)] = 1.0,
        when: Literal["before", "after"] = "before",
        seconds: Annotated[float, Range(0, 86_400)] | None = None,
        status: Annotated[int, Range(200, 599)] = 500,
        body: Any = None,
        headers: Headers | None = None,
        delta: Annotated[int, Range(-1_000_000, 1_000_000, but=0)] = 10,
        device: Name = "*",
        topic: Annotated[str, Length(0, 1024)] = "",
        packet: Packet = "*",
        code: Annotated[int, Range(1, 5)] = 3,
        after: Annotated[int, Range(0, 1_000_000_000)] = 0,
    ) -> Row:
        """Add a fault and return it with its id. If several fit a call, push or packet, the oldest strikes.

        An option that the kind does not have is refused.

        Args:
            kind: What happens. To calls: latency, stall, reset, truncate, garbage, answer, wrong_length, drip. To
                pushes: push_lost, push_double, push_delay, push_reorder. To MQTT packets: mqtt_refuse, mqtt_drop,
                mqtt_no_puback, mqtt_slow, mqtt_double, mqtt_silence. To messages of hubs: hub_err, hub_lost.
            endpoint: Which calls, at every port: `*`, `GET *`, a path (`/iocm/app/dm/v1.4.0/devices/{deviceId}`,
                `/iocm/dev/reg/v1.1.0/bind` of devices, `/deviceio/ml` of hubs) or a method and a path. The names of
                placeholders make no difference.
            notify_type: Which pushes: their notifyType, `*`, or empty for those that have none (command statuses).
            url: Which pushes: those whose callback URL contains it.
            count: How often it strikes before it is removed; None: for ever.
            probability: How likely it strikes a call, push or packet that it fits, 0 to 1.
            when: Whether it strikes before or after the work is done (stall, reset, garbage, answer, hub_err,
                hub_lost).
            seconds: Pause of latency, stall, drip (per byte), push_delay, push_reorder and mqtt_slow; None: the kind's
                default.
            status: Status of answer.
            body: Body of answer: text is sent as it is, other values as JSON; None: no body.
            headers: Headers of answer.
            delta: How many bytes wrong_length announces too many or, if negative, too few.
            device: Which device's MQTT packets, by its deviceId or nodeId; or which hub's messages, by its hub id.
            topic: Which MQTT packets: those whose topic contains it.
            packet: Which packets of a device mqtt_drop and mqtt_slow strike.
            code: What mqtt_refuse says: 1 to 5.
            after: How many packets of a connection mqtt_drop lets through before.

        Raises:
            InvalidArgument: A value is out of its range, an option does not fit the kind, or no documented call or push
                fits the fault.
        """
        endpoint, notify_type = known_endpoint(endpoint), known_notify_type(notify_type)
        fault = Fault(
            kind, endpoint, notify_type, url, count, probability, when, seconds, status, body, headers or {}, delta,
            device, topic, packet, code, after,
        )  # fmt: skip
        return self._runtime.faults.add(fault).describe()

    @operation()
    def faults(self) -> list[Row]:
        """Return all faults, with how often each struck."""
        return self._runtime.faults.list_()

    @operation()
    def remove_fault(self, fault_id: str) -> None:
        """Remove one fault."""
        if not self._runtime.faults.remove(fault_id):
            raise NotFound(f"no fault {fault_id!r}")

    @operation()
    def clear_faults(self) -> None:
        """Remove all faults."""
        self._runtime.faults.clear()

    @operation()
    def seed_faults(self, seed: Annotated[int, Range(0, 2**53)]) -> None:
        """Make the probabilities of faults repeatable: their random numbers come from this seed."""
        self._runtime.faults.reseed(seed)

    @operation()
    def journal(
        self,
        *,
        kind: Literal["call", "push", "mqtt", "agentlite", "hub"] | None = None,
        endpoint: str | None = None,
        since: Annotated[int, Range(0, 10**15)] = 0,
        limit: Annotated[int, Range(1, 10_000)] | None = None,
    ) -> list[Row]:
        """Return the calls, pushes and messages of devices, oldest first.

        Args:
            kind: "call", "push", "mqtt" (packets), "agentlite" (calls of devices at the AgentLite port), or "hub"
                (messages of hubs); None: all of these.
            endpoint: Only calls to this endpoint, named as for `add_fault`.
            since: Only entries whose `seq` is above it.
            limit: How many at most, the newest; None: all of them.

        Raises:
            InvalidArgument: No call has this endpoint; or all are asked for, and older ones were dropped, because the
                journal keeps the last 10,000.
        """
        endpoint = None if endpoint is None else known_endpoint(endpoint)
        return self._runtime.journal.entries(kind=kind, endpoint=endpoint, since=since, limit=limit)

    @operation()
    def calls(self) -> Row:
        """Return how often each endpoint was called since the journal was cleared, by error code or status.

        The journal keeps the last entries only; these counts are complete.
        """
        return self._runtime.journal.calls()

    @operation()
    def clear_journal(self, *, bodies: bool | None = None) -> None:
        """Forget the journal and the counts of calls. From then on it notes bodies, redacted, if `bodies` is true."""
        self._runtime.journal.clear()
        if bodies is not None:
            self._runtime.journal.bodies = bodies

    @operation()
    def pushes(self) -> Row:
        """Return how many pushes were queued, delivered and dropped, how many wait, and how many are being sent."""
        return {**notifications.totals(self._platform), "underWay": self._runtime.pushes.under_way}

    # --- what an operator of the platform does ---

    @operation()
    def add_application(self, app_id: Name | None = None, secret: Name | None = None) -> Row:
        """Add an application, or give an existing one another secret; return its appId and secret."""
        row = applications.add_application(self._platform, app_id, secret)
        return {"appId": row["appId"], "secret": row["secret"]}

    @operation()
    def remove_application(self, app_id: str) -> None:
        """Remove an application; its devices stay, but no application may query them."""
        applications.remove_application(self._platform, self._application(app_id))

    @operation()
    def authorise(self, owner: str, guest: str, allowed: bool = True) -> None:
        """Let one application act for another (`appId` in its queries), or end this."""
        applications.authorise_application(self._platform, self._application(owner), guest, allowed=allowed)

    @operation()
    def freeze_application(self, app_id: str, frozen: bool = True) -> None:
        """Stop an application from logging in, or let it log in again."""
        applications.freeze_application(self._platform, self._application(app_id), frozen=frozen)

    @operation()
    def add_model(self, model: Row, app_id: Name | None = None) -> Row:
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
    def add_package(self, package: Row, app_id: Name | None = None) -> Row:
        """Add a version package (software or firmware) and return it with its fileId.

        Args:
            package: `name`, `version`, `fileType`, `deviceType`, `model`, `manufacturerName` and so on.
            app_id: The application that owns it; None: the emulator's own.
        """
        return packages.add(self._platform, self._application(app_id), package)

    @operation()
    def fire_rule(
        self,
        rule_id: str,
        rule_name: Name,
        reasons: list[Row],
        actions: list[Row],
        app_id: Name | None = None,
        logic: Literal["and", "or"] | None = None,
    ) -> None:
        """Push what a rule of an application would push when it fires (ruleEvent).

        Args:
            rule_id: The rule.
            rule_name: Its name.
            reasons: The conditions that were true: `type`, optionally `id`, `info`, `transInfo`, `satisfactionTime`.
            actions: What was done: `type`, `result` or `exception`, optionally `id`, `info`, `transInfo`.
            app_id: The application; the emulator's own by default.
            logic: How the conditions are joined.
        """
        app_id = self._application(app_id)
        events.fire_rule(self._platform, app_id, rule_id, rule_name, reasons=reasons, actions=actions, logic=logic)

    @contextlib.contextmanager
    def _settings_kept(self) -> Iterator[None]:
        # They are not part of the platform's state, but their changes are stored beside it.
        kept = self._platform.meta.get(SETTINGS)
        yield
        if kept is not None:
            self._platform.meta.put(SETTINGS, kept)
        else:
            self._platform.meta.delete(SETTINGS)
