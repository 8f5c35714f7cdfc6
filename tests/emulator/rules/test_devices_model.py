"""Devices compared with a plain dictionary: both give the same answers after any sequence of calls."""

from __future__ import annotations

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule

from iot_northbound.emulator.kernel.clock import Clock
from iot_northbound.emulator.kernel.ids import Ids
from iot_northbound.emulator.kernel.platform import Platform
from iot_northbound.emulator.kernel.settings import Settings
from iot_northbound.emulator.rules import applications, devices
from tests.emulator.calling import START, Caller, code_of

NODES = st.sampled_from([f"node-{n}" for n in range(8)])
NAMES = st.sampled_from(["hall", "roof", "cellar"])
DEVICES = "/iocm/app/dm/v1.4.0/devices"


class Fleet(RuleBasedStateMachine):
    known = Bundle("known")

    @initialize()
    def start(self) -> None:
        clock = Clock()
        clock.freeze(START)
        self.platform = Platform(
            Settings(token_lifetime=10**9, abnormal_after=None, offline_after=None), clock, Ids("x")
        )
        applications.add_application(self.platform, "app-one", "secret-one")
        self.app = Caller(self.platform).login()
        self.plain: dict[str, dict[str, Any]] = {}

    @rule(target=known, node=NODES, timeout=st.sampled_from([0, 60]), name=NAMES)
    def register(self, node: str, timeout: int, name: str) -> str:
        body = {"nodeId": node, "timeout": timeout, "deviceInfo": {"model": "m", "name": name}}
        answer = self.app.call("POST", "/iocm/app/reg/v1.1.0/deviceCredentials", body)
        holder = next((each for each in self.plain.values() if each["node"] == node), None)
        if holder is not None:
            assert code_of(answer) == (400, "100416" if holder["activated"] else "100426")
            return "none"
        assert answer.status == 200
        until = self.platform.now() + timeout if timeout else None
        self.plain[answer.body["deviceId"]] = {
            "node": node, "name": name, "activated": False, "status": "INACTIVE", "until": until, "data": {},
        }  # fmt: skip
        return str(answer.body["deviceId"])

    @rule(device_id=known, name=NAMES)
    def rename(self, device_id: str, name: str) -> None:
        answer = self.app.call("PUT", f"{DEVICES}/{device_id}", {"name": name})
        assert answer.status == (204 if device_id in self.plain else 404)
        if device_id in self.plain:
            self.plain[device_id]["name"] = name

    @rule(device_id=known, value=st.integers(0, 9))
    def report(self, device_id: str, value: int) -> None:
        if device_id in self.plain:
            self.platform.work(devices.report, self.platform, device_id, "A", {"x": value})
            self.plain[device_id].update(activated=True, status="ONLINE", until=None, data={"x": value})

    @rule(device_id=known)
    def go_offline(self, device_id: str) -> None:
        if device_id in self.plain:
            devices.set_offline(self.platform, device_id)
            if self.plain[device_id]["activated"]:
                self.plain[device_id]["status"] = "OFFLINE"

    @rule(device_id=known, node=NODES)
    def refresh(self, device_id: str, node: str) -> None:
        answer = self.app.call(
            "PUT", f"/iocm/app/reg/v1.1.0/deviceCredentials/{device_id}", {"nodeId": node, "timeout": 60}
        )
        plain = self.plain.get(device_id)
        if plain is None:
            expected: tuple[int, str | None] = (404, "100403")
        elif not plain["activated"]:
            expected = (400, "100610")
        elif plain["status"] == "ONLINE":
            expected = (400, "100611")
        elif any(each["node"] == node for other, each in self.plain.items() if other != device_id):
            expected = (400, "100426")
        else:
            expected = (200, None)
            plain.update(node=node, activated=False, status="INACTIVE", until=self.platform.now() + 60)
        assert code_of(answer) == expected

    @rule(device_id=consumes(known))
    def delete(self, device_id: str) -> None:
        answer = self.app.call("DELETE", f"{DEVICES}/{device_id}")
        assert answer.status == (204 if device_id in self.plain else 404)
        self.plain.pop(device_id, None)

    @rule(seconds=st.sampled_from([1, 30, 60]))
    def wait(self, seconds: int) -> None:
        self.platform.advance(seconds)
        now = self.platform.now()
        self.plain = {key: each for key, each in self.plain.items() if each["until"] is None or each["until"] > now}

    @rule()
    def restart(self) -> None:
        rows = [(table, key, row) for table, kept in self.platform.dump().items() for key, row in kept.items()]
        again = Platform(self.platform.settings, Clock(), Ids())
        again.load(reversed(rows))
        self.platform = self.app.platform = again

    @invariant()
    def the_list_agrees(self) -> None:
        seen = self.pages()
        assert list(seen) == list(self.plain)
        for device_id, each in self.plain.items():
            info = seen[device_id]["deviceInfo"]
            assert (info["nodeId"], info["name"], info["status"]) == (each["node"], each["name"], each["status"])
            services = {service["serviceId"]: service["data"] for service in seen[device_id]["services"]}
            assert services == ({"A": each["data"]} if each["data"] else {})

    @invariant()
    def filters_agree(self) -> None:
        for status in ("ONLINE", "OFFLINE", "INACTIVE"):
            expected = [key for key, each in self.plain.items() if each["status"] == status]
            assert list(self.pages(status=status)) == expected

    def pages(self, **query: str) -> dict[str, Any]:
        seen: dict[str, Any] = {}
        for number in range(9):
            answer = self.app.call("GET", DEVICES, pageNo=str(number), pageSize="3", sort="ASC", **query)
            seen |= {each["deviceId"]: each for each in answer.body["devices"]}
        return seen


Fleet.TestCase.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
TestFleet = Fleet.TestCase
