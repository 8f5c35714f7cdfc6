"""What the pages show: a snapshot of the platform's state for each, without secrets.

A snapshot is read on the loop and costs about the same for any number of rows: a page of a list is read from its newest
row on, over no index of its own. So nothing costs anything while nobody looks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from itertools import islice
from typing import Any

from iot_northbound.emulator.console.charts import charts
from iot_northbound.emulator.journal import public_url, redacted
from iot_northbound.emulator.kernel import transitions
from iot_northbound.emulator.kernel.clock import time_text
from iot_northbound.emulator.kernel.store import Row
from iot_northbound.emulator.mqtt.endpoint import MqttEndpoint
from iot_northbound.emulator.rules import commands, devices, history, models, notifications, scripts
from iot_northbound.emulator.runtime import Runtime

PER_PAGE = 50
LOOKED_AT = 50_000
"""How many of the newest rows a filter looks at, so that a million devices do not stop the API."""
REPORTS_OF_A_DEVICE = 200
JOURNAL_KINDS = ("call", "push", "mqtt", "agentlite", "hub")
Query = Mapping[str, str]
Data = dict[str, Any]


class NoSuchPage(LookupError):
    """Raised when a page is about something that does not exist; the text says what."""


class Reading:
    """Reads a running emulator.

    Args:
        runtime: The running emulator.
        facts: Its addresses.
        mqtt: Its port for MQTT, if it has one.
    """

    def __init__(self, runtime: Runtime, facts: Callable[[], Mapping[str, Any]], mqtt: MqttEndpoint | None) -> None:
        self._runtime, self._facts, self._mqtt = runtime, facts, mqtt
        self._platform = runtime.platform

    def clock(self) -> Data:
        """Return the platform's time, by the second."""
        now = self._platform.now()
        return {"text": time_text(now), "now": int(now), "frozen": self._platform.clock.frozen}

    def overview(self, _: Query) -> Data:
        """Return addresses, numbers, and what came last."""
        calls = self._runtime.journal.calls()
        counts = sorted(
            ((sum(answers.values()), name or "no such path", answers) for name, answers in calls.items()),
            key=lambda each: -each[0],
        )
        return {
            "facts": {name: value for name, value in self._facts().items() if value is not None},
            "durable": self._runtime.durable is not None,
            "sizes": self._platform.store.sizes(),
            "sessions": 0 if self._mqtt is None else len(self._mqtt.sessions),
            "pushes": self._pushes(),
            "faults": self._faults(),
            "calls": counts[:8],
            "reports": self._named(islice(self._newest(history.REPORTED), 8)),
            "journal": list(reversed(self._runtime.journal.entries(limit=10))),
        }

    def devices(self, query: Query) -> Data:
        """Return a page of the devices that fit a filter, the newest first."""
        text, status = query.get("q", "").strip(), query.get("status", "")
        found: list[Row]
        if not text and not status:
            number = len(self._platform.table(devices.DEVICES))
            page = _page_number(query, number)
            start = (page - 1) * PER_PAGE
            found, partial = list(islice(self._newest(devices.DEVICES), start, start + PER_PAGE)), False
        else:
            every, partial = self._matching(text, status)
            page, number = _page_number(query, len(every)), len(every)
            found = every[(page - 1) * PER_PAGE : page * PER_PAGE]
        return {
            "devices": [self._summary(row) for row in found],
            "q": text,
            "status": status,
            "page": page,
            "pages": _pages(number),
            "number": number,
            "partial": LOOKED_AT if partial else None,
        }

    def _matching(self, text: str, status: str) -> tuple[list[Row], bool]:
        """Return the devices that fit, and whether only some of all devices were looked at."""
        if (exact := devices.find(self._platform, text)) is not None:
            return [exact], False
        wanted = text.lower()
        looked = islice(self._newest(devices.DEVICES), LOOKED_AT)
        found = [row for row in looked if (not status or row["status"] == status) and wanted in _searched(row)]
        partial = len(self._platform.table(devices.DEVICES)) > LOOKED_AT
        if partial and not found and (named := devices.same_node(self._platform, text)) is not None:
            found = [named]
        return found, partial

    def _summary(self, row: Row) -> Data:
        names = ("deviceId", "nodeId", "name", "status", "statusDetail", "deviceType", "model", "productId", "parent")
        return {
            **{name: row.get(name) for name in names},
            "heard": row.get("heard"),
            "services": sorted(row.get("services", {}))[:6],
            "linked": self._mqtt is not None and row["deviceId"] in self._mqtt.sessions,
            "scripted": scripts.has_script(self._platform, row["deviceId"]),
        }

    def device(self, query: Query) -> Data:
        """Return all about one device.

        Raises:
            NoSuchPage: There is no such device.
        """
        device_id = query["device_id"]
        row = devices.find(self._platform, device_id)
        if row is None:
            raise NoSuchPage(f"There is no device {device_id!r}. It may have been deleted.")
        newest = self._platform.table(history.REPORTED).where(deviceId=device_id)
        reports = newest.slice(0, REPORTS_OF_A_DEVICE, descending=True)
        looked = islice(self._newest(commands.COMMANDS), LOOKED_AT)
        own = (each for each in looked if each["deviceId"] == device_id)
        model = models.of_device(self._platform, row)
        hidden = {"services", "timer", "seq"}
        return {
            **self._summary(row),
            "info": redacted({name: value for name, value in sorted(row.items()) if name not in hidden}),
            "shadow": redacted(row.get("services", {})),
            "model_services": [] if model is None else [each["serviceId"] for each in model["services"]],
            "charts": charts(redacted(list(reversed(reports)))),
            "reports": redacted(reports[:12]),
            "commands": [_command(each) for each in islice(own, 20)],
        }

    def data(self, query: Query) -> Data:
        """Return the newest reports of all devices."""
        number = _number(query)
        return {"reports": self._named(islice(self._newest(history.REPORTED), number)), "n": number}

    def commands(self, query: Query) -> Data:
        """Return the newest commands with their states."""
        status, number = query.get("status", ""), _number(query)
        looked = islice(self._newest(commands.COMMANDS), LOOKED_AT)
        found = (each for each in looked if not status or each["status"] == status)
        return {
            "commands": [{**_command(each), "node": self._node(each["deviceId"])} for each in islice(found, number)],
            "status": status,
            "n": number,
            "number": len(self._platform.table(commands.COMMANDS)),
            "held": list(islice(transitions.held(self._platform).rows.values(), PER_PAGE)),
        }

    def pushes(self, query: Query) -> Data:
        """Return the subscriptions, the queue and every attempt that the journal keeps."""
        number = _number(query)
        subscriptions = list(islice(self._newest(notifications.SUBSCRIPTIONS), 200))
        waiting = islice(self._platform.table(notifications.PUSHES).rows.values(), PER_PAGE)
        return {
            "totals": self._pushes(),
            "subscriptions": [{**each, "callbackUrl": public_url(each["callbackUrl"])} for each in subscriptions],
            "destinations": [
                {**each, "destination": public_url(each["destination"])}
                for each in islice(self._platform.table(notifications.DESTINATIONS).rows.values(), PER_PAGE)
            ],
            "waiting": [{**each, "url": public_url(each["url"]), "body": redacted(each["body"])} for each in waiting],
            "attempts": list(reversed(self._runtime.journal.entries(kind="push", limit=number))),
            "n": number,
        }

    def journal(self, query: Query) -> Data:
        """Return the newest entries of the journal."""
        kind, number = query.get("kind", ""), _number(query)
        wanted = kind if kind in JOURNAL_KINDS else None
        entries = self._runtime.journal.entries(kind=wanted, limit=number)
        return {
            "entries": list(reversed(entries)),
            "kind": wanted or "",
            "kinds": JOURNAL_KINDS,
            "n": number,
            "bodies": self._runtime.journal.bodies,
        }

    def mqtt(self, query: Query) -> Data:
        """Return the MQTT sessions, and the packets that came and went last."""
        sessions = [] if self._mqtt is None else self._mqtt.described()
        number = _number(query)
        return {
            "open": self._mqtt is not None,
            "number": len(sessions),
            "sessions": [{**each, "node": self._node(each["deviceId"])} for each in sessions[-number:]],
            "packets": list(reversed(self._runtime.journal.entries(kind="mqtt", limit=number))),
            "n": number,
        }

    def control(self, _: Query) -> Data:
        """Return the faults."""
        return {"faults": self._faults()}

    def settings(self, _: Query) -> Data:
        """Return the settings."""
        return {"settings": asdict(self._platform.settings)}

    # --- rows ---

    def _newest(self, table: str) -> Iterable[Row]:
        return self._platform.table(table).newest()

    def _node(self, device_id: str) -> str | None:
        row = devices.find(self._platform, device_id)
        return None if row is None else row["nodeId"]

    def _named(self, reports: Iterable[Row]) -> list[Data]:
        return [redacted({**each, "node": self._node(each["deviceId"])}) for each in reports]

    def _faults(self) -> list[Data]:
        return [redacted(each) for each in self._runtime.faults.list_()]

    def _pushes(self) -> dict[str, int]:
        return {**notifications.totals(self._platform), "underWay": self._runtime.pushes.under_way}


def _command(row: Row) -> Data:
    names = (
        "commandId", "deviceId", "status", "created", "creationTime", "platformIssuedTime", "deliveredTime",
        "executeTime", "issuedTimes", "expireTime",
    )  # fmt: skip
    url = row["callbackUrl"]
    return {
        **{name: row[name] for name in names},
        "command": redacted(row["command"]),
        "result": redacted(row["result"]),
        "callbackUrl": url and public_url(url),
    }


def _searched(row: Row) -> str:
    get = row.get
    return f"{row['nodeId']}\n{get('name')}\n{row['deviceId']}\n{get('model')}\n{get('productId')}".lower()


def _pages(number: int) -> int:
    return max(1, -(-number // PER_PAGE))


def _page_number(query: Query, number: int) -> int:
    """Return the page that is asked for; the last one if there are not so many, since devices may have been deleted."""
    text = query.get("page", "")
    asked = int(text) if text.isascii() and text.isdigit() and len(text) < 8 else 1
    return min(max(1, asked), _pages(number))


def _number(query: Query) -> int:
    """Return how many rows are asked for: one of a few numbers."""
    return {"200": 200, "1000": 1_000}.get(query.get("n", ""), PER_PAGE)
