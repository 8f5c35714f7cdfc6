"""The hubs' port over real TLS, with clients that know nothing of the SDK."""

from __future__ import annotations

import json
import logging
import socket
import ssl
from pathlib import Path
from typing import Any, Literal
from urllib.request import Request, urlopen

import pytest

from iot_northbound.emulator.control.base import NotFound
from iot_northbound.emulator.control.schema import InvalidArgument
from iot_northbound.emulator.durable import DataDirError
from iot_northbound.emulator.rules import hubs
from iot_northbound.emulator.runtime import Runtime
from iot_northbound.emulator.server import Emulator
from tests.emulator.conftest import Wire
from tests.emulator.hub.conftest import TOKEN, Hub, register_hub

MEASURE = '<add deviceId="d-1" deviceType="11"/><measure deviceId="d-1"><param name="humidity">40</param></measure>'


def journal(emulator: Emulator) -> list[dict[str, Any]]:
    return emulator.control.journal(kind="hub")


def test_a_message_is_acknowledged_as_the_page_shows(hub: Hub) -> None:
    body = b'<?xml version="1.0" encoding="UTF-8"?><h2s ver="2" hubId="hub-1" seq="1021"/>'
    status, content = hub.raw(body)
    assert status == 200
    assert content == b'<?xml version="1.0" encoding="UTF-8"?>\n<s2h seq="1021" status="ACK" ver="2"/>'


def test_the_pages_own_message_has_no_number_and_so_has_the_answer(emulator: Emulator, wire: Wire) -> None:
    register_hub(wire, "0123456ABCDEF")
    hub = Hub(emulator)
    sample = b"""<?xml version="1.0" encoding="UTF-8"?>
<h2s ver="2" hubId="0123456ABCDEF">
<response cmdId="5" result="0" />
</h2s>"""
    assert hub.raw(sample)[1] == b'<?xml version="1.0" encoding="UTF-8"?>\n<s2h status="ACK" ver="2"/>'
    hub.close()


def test_the_loop_closes_measure_command_result(wire: Wire, hub: Hub) -> None:
    answer = hub.post(MEASURE + '<measure deviceId="d-9"/>', 'seq="1"')
    assert (answer.get("status"), [each.text for each in answer]) == ("ACK", ["d-9"])
    listed = wire.call("GET", "/iocm/app/dm/v1.4.0/devices?pageNo=0&pageSize=50")[1]["devices"]
    child = next(each for each in listed if each["deviceInfo"]["nodeId"] == "d-1")
    assert child["services"][0]["data"] == {"humidity": 40}
    asked = {"serviceId": "Climate", "method": "SET_REPORT_INTERVAL", "paras": {"seconds": 60}}
    body = {"deviceId": child["deviceId"], "command": asked}
    assert wire.call("POST", "/iocm/app/cmd/v1.4.0/deviceCommands", body)[0] == 201
    [command] = hub.post(seq='seq="2"')
    assert command.attrib == {
        "cmdId": "1", "type": "SET_REPORT_INTERVAL", "service": "Climate", "deviceId": "d-1"
    }  # fmt: skip
    hub.post('<response cmdId="1" result="1"/>', 'seq="3"')
    [row] = wire.call("GET", "/iocm/app/cmd/v1.4.0/deviceCommands")[1]["data"]
    assert row["status"] == "SUCCESSFUL"


@pytest.mark.parametrize(
    ("header", "status"),
    [
        (f'esp token="{TOKEN}"', "ACK"),
        (f'ESP  token = "{TOKEN}"', "ACK"),
        (f"esp token={TOKEN}", "UNAUTHORIZED"),
        (f'stream token="{TOKEN}"', "UNAUTHORIZED"),
        ('esp token=""', "UNAUTHORIZED"),
        ('esp token="\xe9"', "UNAUTHORIZED"),
        (None, "UNAUTHORIZED"),
    ],
)
def test_the_token_is_in_the_header(hub: Hub, header: str | None, status: str) -> None:
    hub.headers = {} if header is None else {"PPCAuthorization": header}
    answer = hub.post()
    assert (answer.get("status"), answer.get("seq")) == (status, "1")


def test_an_unknown_hub_hears_that_it_is_not_registered(hub: Hub) -> None:
    assert hub.post(hub_id="hub-9").get("status") == "UNKNOWN"


@pytest.mark.parametrize("body", [b"", b"<h2s", b"<html/>", b'{"hubId": "hub-1"}', b" " * 70_000])
def test_what_is_no_message_is_a_format_error(emulator: Emulator, hub: Hub, body: bytes) -> None:
    status, content = hub.raw(body)
    assert (status, content.partition(b"\n")[2]) == (200, b'<s2h status="ERR_FORMAT" ver="2"/>')
    [entry] = journal(emulator)
    assert entry["why"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/deviceio/ml", 405),
        ("PUT", "/deviceio/ml", 405),
        ("POST", "/deviceio/mljson", 404),
        ("GET", "/", 404),
        ("POST", "/deviceio/ml//", 404),
    ],
)
def test_other_methods_and_paths_are_refused(hub: Hub, method: str, path: str, status: int) -> None:
    assert hub.raw(b"", method, path)[0] == status
    assert (hub.last.headers["Allow"] == "POST") == (status == 405)


def test_a_slash_at_the_end_of_the_path_makes_no_difference(hub: Hub) -> None:
    assert hub.raw(b"<a/>", path="/deviceio/ml/") == hub.raw(b"<a/>")


def test_no_client_certificate_is_asked_for_and_old_tls_is_refused(emulator: Emulator) -> None:
    address = "127.0.0.1", int(str(emulator.hub_url).rpartition(":")[2])
    context = ssl.create_default_context(cafile=str(emulator.device_ca))
    with socket.create_connection(address, 10) as raw, context.wrap_socket(raw, server_hostname="localhost") as tls:
        assert tls.version() == "TLSv1.3"
    assert emulator.hub_url == f"https://127.0.0.1:{address[1]}"


def test_without_a_port_there_is_no_address(home_folder: Path) -> None:
    with Emulator(folder=home_folder) as running:
        assert running.hub_url is None


# --- durability ---


def test_an_answer_that_was_lost_is_given_again_after_a_restart(home_folder: Path, tmp_path: Path) -> None:
    settings: dict[str, Any] = {"folder": home_folder, "hub_port": 0, "hub_models": {"11": "climate-sensor-zigbee"}}
    with Emulator(**settings, data_dir=tmp_path) as first:
        wire = Wire(first).login()
        register_hub(wire)
        hub = Hub(first)
        told = hub.post(MEASURE + '<measure deviceId="d-9"/>', 'seq="7"')
        hub.close()
        wire.close()
    with Emulator(**settings, data_dir=tmp_path) as second:
        hub, wire = Hub(second), Wire(second).login()
        again = hub.post(MEASURE + '<measure deviceId="d-9"/>', 'seq="7"')
        assert (again.attrib, [each.text for each in again]) == (told.attrib, ["d-9"])
        assert len(wire.devices()) == 2
        hub.close()
        wire.close()


def test_a_failing_disk_is_err(emulator: Emulator, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(self: Runtime) -> None:
        raise DataDirError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(Runtime, "settled", fail)
        answer = hub.post()
        assert (answer.get("status"), answer.get("seq")) == ("ERR", "1")
    assert hub.post().get("status") == "ACK"


def test_a_failure_inside_is_err_and_undone(
    hub: Hub, wire: Wire, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: Any) -> list[Any]:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(hubs, "_commands", fail)
        assert hub.post(MEASURE).get("status") == "ERR"
    assert "a message of hub 'hub-1' failed inside the emulator" in caplog.text
    assert len(wire.devices()) == 1
    assert hub.post(MEASURE).get("status") == "ACK"
    assert len(wire.devices()) == 2


# --- faults ---


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_fault_is_err_before_or_after_the_work(
    emulator: Emulator, hub: Hub, wire: Wire, when: Literal["before", "after"]
) -> None:
    emulator.control.add_fault("hub_err", when=when, device="hub-9")
    emulator.control.add_fault("hub_err", when=when, device="hub-1", count=1)
    answer = hub.post(MEASURE)
    assert (answer.get("status"), answer.get("seq")) == ("ERR", "1")
    assert len(wire.devices()) == (1 if when == "before" else 2)
    assert hub.post(MEASURE).get("status") == "ACK"
    assert len(wire.devices()) == 2
    assert [entry["fault"] for entry in journal(emulator)] == ["hub_err", None]


def test_a_fault_loses_the_answer(emulator: Emulator, hub: Hub, wire: Wire) -> None:
    emulator.control.add_fault("hub_lost", when="after", count=1)
    with pytest.raises(OSError, match=r"reset|closed"):
        hub.post(MEASURE)
    assert len(wire.devices()) == 2
    hub.connection.close()
    assert hub.post(MEASURE).get("status") == "ACK"
    assert len(wire.devices()) == 2


@pytest.mark.parametrize("endpoint", ["*", "/deviceio/ml", "POST /deviceio/ml"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_the_faults_of_calls_strike_hubs_too(
    emulator: Emulator, hub: Hub, wire: Wire, endpoint: str, when: Literal["before", "after"]
) -> None:
    emulator.control.add_fault("reset", endpoint=endpoint, when=when, count=1)
    emulator.control.clear_journal()
    with pytest.raises(OSError, match=r"reset|closed"):
        hub.post(MEASURE)
    hub.connection.close()
    assert len(wire.devices()) == (1 if when == "before" else 2)
    assert hub.post(MEASURE).get("status") == "ACK"
    assert [entry["fault"] for entry in emulator.control.journal(kind="hub", endpoint=endpoint)] == ["reset", None]


def test_a_hub_gets_any_answer_that_a_fault_has(emulator: Emulator, hub: Hub) -> None:
    emulator.control.add_fault("answer", endpoint="/deviceio/ml", status=502, body="<s2h/>", count=1)
    assert hub.raw(b"<") == (502, b"<s2h/>")
    emulator.control.add_fault("latency", endpoint="/deviceio/ml", seconds=0)
    assert hub.post(MEASURE).get("status") == "ACK"
    assert [entry["status"] for entry in journal(emulator)] == [None, "ACK"]


# --- control plane and journal ---


def test_control_lets_a_user_watch(emulator: Emulator, hub: Hub) -> None:
    emulator.control.watch_hub("hub-1", 600)
    assert hub.post().get("status") == "CONT"
    request = Request(
        f"{emulator.control_url}/hubs/hub-1/watched",
        json.dumps({"seconds": 0}).encode(),
        {"Content-Type": "application/json"},
        method="PUT",
    )
    with urlopen(request, timeout=10) as answer:
        assert answer.status == 204
    assert hub.post(seq='seq="2"').get("status") == "ACK"
    with pytest.raises(NotFound, match="no hub 'hub-9'"):
        emulator.control.watch_hub("hub-9", 1)
    with pytest.raises(InvalidArgument, match="seconds"):
        emulator.control.watch_hub("hub-1", -1)


def test_the_journal_counts_what_a_message_had(emulator: Emulator, hub: Hub) -> None:
    hub.post(MEASURE + '<alert/><response cmdId="1" result="1"/><measure deviceId="d-9"/>')
    [entry] = journal(emulator)
    kept = {name: entry[name] for name in ("hubId", "messageSeq", "status", "measures", "adds", "responses")}
    assert kept == {"hubId": "hub-1", "messageSeq": "1", "status": "ACK", "measures": 2, "adds": 1, "responses": 1}
    assert (entry["skipped"], entry["commands"], entry["unknown"]) == (1, 0, ["d-9"])
    assert "request" not in entry
    emulator.control.clear_journal(bodies=True)
    hub.post(seq='seq="2"')
    [entry] = journal(emulator)
    assert 'seq="2"' in entry["request"]
    assert 'status="ACK"' in entry["answer"]


def test_the_token_reaches_neither_journal_nor_log(
    emulator: Emulator, hub: Hub, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    emulator.control.clear_journal(bodies=True)
    for token in (TOKEN, "wrong-" + TOKEN):
        hub.headers = {"PPCAuthorization": f'esp token="{token}"'}
        hub.post(MEASURE)
    assert len(journal(emulator)) == 2
    assert TOKEN not in f"{journal(emulator)}{caplog.text}"


def test_a_message_that_stops_half_way_leaves_the_others_alone(emulator: Emulator, hub: Hub) -> None:
    context = ssl.create_default_context(cafile=str(emulator.device_ca))
    address = "127.0.0.1", int(str(emulator.hub_url).rpartition(":")[2])
    for part in (b"POST /deviceio/ml HTTP/1.1\r\nContent-Length: 500\r\n\r\n<h2s", b"\x00\xff\xfe", b""):
        with socket.create_connection(address, 10) as raw, context.wrap_socket(raw, server_hostname="localhost") as tls:
            tls.sendall(part)
    assert hub.post().get("status") == "ACK"
