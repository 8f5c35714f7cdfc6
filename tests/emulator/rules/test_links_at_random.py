"""Sessions, commands, calls, answers, deletions, restarts in any order: what must hold after each step."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from iot_northbound.emulator.kernel.clock import Clock
from iot_northbound.emulator.kernel.ids import Ids
from iot_northbound.emulator.kernel.platform import Platform
from iot_northbound.emulator.rules import applications, commands, devices, invocations, links, outbox, reports, scripts
from tests.emulator.calling import START, Caller
from tests.emulator.scene import COMMANDS, DEVICES

GATEWAY, SENSOR = "home-gateway-mqtt", "climate-sensor-zigbee"
ASKED = {
    "Gateway": {"serviceId": "Gateway", "method": "RESTART", "paras": {}},
    "Climate": {"serviceId": "Climate", "method": "SET_REPORT_INTERVAL", "paras": {"seconds": 60}},
}
NODES = st.sampled_from(["gw-a", "gw-b"])
CHANNELS = st.sampled_from(["json", "gateway", "hub"])


class Devices(RuleBasedStateMachine):
    """Two gateways with a child each."""

    def __init__(self) -> None:
        super().__init__()
        clock = Clock()
        clock.freeze(START)
        self.platform = Platform(clock=clock, ids=Ids("test"))
        applications.add_application(self.platform, "app-one", "secret-one")
        self.app = Caller(self.platform).login()
        self.sessions = 0
        self.ids: dict[str, str] = {}
        for node in ("gw-a", "gw-b"):
            self.register(node)

    def register(self, node: str) -> None:
        self.ids[node] = self.app.register(node, productId=GATEWAY, timeout=0)
        child = devices.add_sub_device(self.platform, self.ids[node], "child", productId=SENSOR)
        self.ids[f"{node}/child"] = child["deviceId"]

    def session(self, node: str) -> str:
        row = links.find(self.platform, self.ids[node])
        return "none" if row is None else str(row["session"])

    @rule(node=NODES, kind=st.sampled_from(["mqtt", "mqtt", "hub"]), channels=st.sets(CHANNELS))
    def connect(self, node: str, kind: str, channels: set[str]) -> None:
        self.sessions += 1
        self.platform.work(links.connect, self.platform, self.ids[node], f"s{self.sessions}", kind)
        for channel in sorted(channels):
            self.subscribe(node, channel, self.sessions % 2)

    def subscribe(self, node: str, channel: str, qos: int) -> None:
        self.platform.work(links.subscribe, self.platform, self.ids[node], self.session(node), channel, qos)

    @rule(node=NODES, channel=CHANNELS, again=st.booleans())
    def unsubscribe(self, node: str, channel: str, again: bool) -> None:
        self.platform.work(links.unsubscribe, self.platform, self.ids[node], self.session(node), channel)
        if again:
            self.subscribe(node, channel, 1)

    @rule(node=NODES)
    def disconnect(self, node: str) -> None:
        self.platform.work(links.disconnect, self.platform, self.ids[node], self.session(node))
        assert links.find(self.platform, self.ids[node]) is None

    @rule(node=NODES, child=st.booleans(), expire=st.sampled_from([0, 30, None]), again=st.integers(0, 2))
    def command(self, node: str, child: bool, expire: int | None, again: int) -> None:
        device_id = self.ids[f"{node}/child" if child else node]
        body = {"deviceId": device_id, "command": ASKED["Climate" if child else "Gateway"], "maxRetransmit": again}
        self.app.call("POST", COMMANDS, {**body, **({} if expire is None else {"expireTime": expire})})
        self.platform.advance(0)

    @rule(node=NODES, child=st.booleans(), cloud=st.booleans())
    def call(self, node: str, child: bool, cloud: bool) -> None:
        asked: dict[str, Any] = ASKED["Climate" if child else "Gateway"]
        device_id = self.ids[f"{node}/child" if child else node]
        path = f"/iocm/app/signaltrans/v1.1.0/devices/{device_id}/services/{asked['serviceId']}/sendCommand"
        header = {"mode": "ACK", "method": asked["method"], **({"toType": "CLOUD"} if cloud else {})}
        self.app.call("POST", path, {"header": header, "body": asked["paras"]})

    @rule(node=NODES, limit=st.integers(1, 3))
    def send(self, node: str, limit: int) -> None:
        for row in outbox.waiting(self.platform, self.ids[node], limit):
            assert links.find(self.platform, self.ids[node])
            self.platform.work(outbox.sent, self.platform, row["seq"])

    @rule(node=NODES, which=st.integers(0, 3), errcode=st.integers(0, 1), how=st.integers(0, 3))
    def react(self, node: str, which: int, errcode: int, how: int) -> None:
        link = self.ids[node]
        out = list(self.platform.table(outbox.OUTBOX).where(link=link))
        mid = out[which]["mid"] if which < len(out) else None if how % 2 else 9
        if mid is not None and how >= 1:
            self.platform.work(outbox.delivered, self.platform, link, mid)
        if how <= 2:
            told = self.platform.work(outbox.answered, self.platform, link, mid, errcode, {"a": 1})
            assert told in ("answered", "unknown", "ambiguous", "none open")

    @rule(node=NODES, child=st.booleans())
    def report(self, node: str, child: bool) -> None:
        entry = {"serviceId": "Climate" if child else "Gateway", "data": {"x": 1}, "eventTime": None}
        self.platform.work(reports.take, self.platform, self.ids[f"{node}/child" if child else node], [entry])

    @rule(node=NODES)
    def lose_the_child(self, node: str) -> None:
        devices.set_offline(self.platform, self.ids[f"{node}/child"])

    @rule(node=NODES)
    def script(self, node: str) -> None:
        if scripts.has_script(self.platform, self.ids[node]):
            scripts.detach(self.platform, self.ids[node])
        else:
            scripts.attach(self.platform, self.ids[node])

    @rule(node=NODES, cascade=st.booleans())
    def delete(self, node: str, cascade: bool) -> None:
        gone, child = self.ids[node], self.ids[f"{node}/child"]
        self.app.call("DELETE", f"{DEVICES}/{gone}", cascade=str(cascade).lower())
        if not cascade:
            self.app.call("DELETE", f"{DEVICES}/{child}")
        if outbox.waiting(self.platform, gone, 9):
            row = outbox.waiting(self.platform, gone, 9)[-1]
            assert row["kind"] == "unbind"
        else:
            assert links.find(self.platform, gone) is None
        self.platform.work(links.end, self.platform, gone)
        assert not len(self.platform.table(outbox.OUTBOX).where(link=gone))
        self.register(node)

    @rule(seconds=st.sampled_from([20.0, 61.0, 301.0]))
    def advance(self, seconds: float) -> None:
        self.platform.advance(seconds)
        self.app.login()

    @rule()
    def restore(self) -> None:
        self.platform.restore(json.loads(json.dumps(self.platform.dump())))
        assert not self.platform.table(links.LINKS).rows

    @invariant()
    def each_message_belongs_to_something_open(self) -> None:
        platform = self.platform
        numbers = set()
        for row in platform.table(outbox.OUTBOX).rows.values():
            assert 1 <= row["mid"] <= outbox.MIDS
            assert (row["link"], row["mid"]) not in numbers
            numbers.add((row["link"], row["mid"]))
            assert row["state"] in ("waiting", "sent", "delivered")
            if row["state"] == "waiting":
                assert links.find(platform, row["link"]), "what waits has a link that can take it"
            if row["kind"] == "command":
                assert platform.table(commands.COMMANDS)[row["ref"]]["status"] in ("SENT", "DELIVERED")
            elif row["kind"] == "invocation":
                assert platform.table(invocations.INVOCATIONS)[row["ref"]]["status"] in invocations.OPEN

    @invariant()
    def open_commands_have_a_timer(self) -> None:
        for row in self.platform.table(commands.COMMANDS).rows.values():
            waits = row["status"] in ("PENDING", "SENT", "DELIVERED")
            assert (row["timer"] in self.platform.timers.rows) is waits, row

    @invariant()
    def at_most_one_cached_command_of_a_device_is_under_way(self) -> None:
        for device_id in self.ids.values():
            sent = self.platform.table(commands.COMMANDS).where(deviceId=device_id, status="SENT")
            assert sum(row["queued"] for row in sent) <= 1

    @invariant()
    def a_link_has_a_device(self) -> None:
        assert all(devices.find(self.platform, device_id) for device_id in self.platform.table(links.LINKS).rows)


Devices.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
test_at_random = Devices.TestCase


def test_a_command_of_which_one_copy_was_sent_stays_under_way_when_the_link_is_lost() -> None:
    state = Devices()
    state.command(again=1, child=False, expire=30, node="gw-b")
    state.connect(channels={"json"}, kind="mqtt", node="gw-b")
    state.advance(seconds=61.0)
    state.send(limit=1, node="gw-b")
    state.restore()
    state.each_message_belongs_to_something_open()
