"""A registered hub that posts messages, and models of the devices behind it."""

from __future__ import annotations

from typing import Any

from iot_northbound.emulator.kernel.platform import Platform
from iot_northbound.emulator.kernel.store import Row
from iot_northbound.emulator.rules import devices, hubs
from iot_northbound.emulator.rules.hub_values import Value
from iot_northbound.emulator.rules.hubs import Measure, Posted
from tests.emulator.calling import Caller

TOKEN = "0123456789abcdef0123"
SENSOR = "climate-sensor-zigbee"


class Hub:
    """A registered hub, and what it posts."""

    def __init__(self, platform: Platform, app: Caller) -> None:
        self.platform, self.app = platform, app
        info = {"nodeId": "hub-1", "manufacturerId": "NETZWERK", "model": "NG-2"}
        given = {"deviceInfo": info, "secret": TOKEN}
        self.id: str = app.call("POST", "/iocm/app/reg/v2.0.0/deviceCredentials", given).body["deviceId"]
        self.seq = 100

    def post(self, *, seq: int | str | None = "next", token: str | None = TOKEN, digest: str = "", **rest: Any) -> Row:
        if seq == "next":
            self.seq += 1
            seq = self.seq
        posted = Posted("hub-1", None if seq is None else str(seq), digest, **rest)
        answer: Row = self.platform.work(hubs.take, self.platform, posted, token)
        return answer

    def measure(self, node_id: str, time: str | None = None, **values: str) -> Row:
        return self.post(measures=[Measure(node_id, time, [Value(*each) for each in values.items()])])

    def add(self, node_id: str, kind: str | None = "11") -> Row:
        self.post(adds=[(node_id, kind)])
        return self.child(node_id)

    def child(self, node_id: str) -> Row:
        row = self.platform.table(devices.DEVICES).where(parent=self.id, nodeId=node_id).first()
        assert row is not None
        return row

    def data(self, node_id: str) -> dict[str, Any]:
        row = devices.need(self.platform, self.id) if node_id == "hub-1" else self.child(node_id)
        return {name: each["data"] for name, each in row.get("services", {}).items()}


TYPED = {
    "manufacturerId": "M", "manufacturerName": "M", "deviceType": "T", "model": "X", "protocolType": "P",
    "productId": "all-types",
    "services": [
        {"serviceId": "A", "properties": [
            {"propertyName": "flag", "dataType": "boolean"}, {"propertyName": "deep", "dataType": "jsonObject"},
            {"propertyName": "list", "dataType": "array"}, {"propertyName": "word", "dataType": "string"},
            {"propertyName": "odd", "dataType": "newest"}, {"propertyName": "power", "dataType": "decimal"},
            {"propertyName": "power.2", "dataType": "decimal"}, {"propertyName": "both", "dataType": "int"},
        ]},
        {"serviceId": "B", "properties": [{"propertyName": "both", "dataType": "int"}]},
    ],
}  # fmt: skip
