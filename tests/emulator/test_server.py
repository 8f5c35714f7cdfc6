from __future__ import annotations

import contextlib
import gc
import logging
import socket
import ssl
import threading
import tomllib
import urllib.request
from pathlib import Path

import pytest

from iot_northbound.emulator.durable import DataDirError
from iot_northbound.emulator.server import Emulator
from iot_northbound.serving import BindError
from iot_northbound.serving.http import GuardedServer
from tests.certs import UNTIDY, Authority, TlsServer, altered, server_context
from tests.clock import eventually

from .conftest import Wire


def test_login_and_calls_work_over_mutual_tls(wire: Wire) -> None:
    device_id = wire.register("node-1")
    assert wire.devices() == [device_id]


def test_a_client_without_a_certificate_is_turned_away(emulator: Emulator) -> None:
    context = ssl.create_default_context(cafile=str(emulator.home.ca))
    answer = b""
    with (
        contextlib.suppress(OSError),  # TLS 1.3 tells the client only at its first read
        socket.create_connection(emulator.address, timeout=60) as raw,
        context.wrap_socket(raw, server_hostname="localhost") as peer,
    ):
        peer.sendall(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        answer = peer.recv(10)
    assert answer == b""


def test_several_emulators_run_side_by_side_apart_from_one_another(home_folder: Path) -> None:
    with Emulator(folder=home_folder) as one, Emulator(folder=home_folder) as other:
        Wire(one).login().register("node-1")
        assert len(Wire(one).login().devices()) == 1
        assert Wire(other).login().devices() == []


def profile_port(path: Path) -> int:
    return int(tomllib.loads(path.read_text())["default"]["platform_port"])


def test_one_without_a_folder_does_not_touch_the_commands_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IOT_NORTHBOUND_EMULATOR_HOME", str(tmp_path / "home"))
    with Emulator() as one, Emulator() as other:
        Wire(one).login()
        assert one.app_id != other.app_id
    assert list(tmp_path.iterdir()) == []


def test_a_temporary_home_outlives_a_stop_and_is_deleted_with_the_emulator() -> None:
    emulator = Emulator()
    with emulator:
        folder, app_id = emulator.home.folder, emulator.app_id
    with emulator:
        assert emulator.app_id == app_id
        Wire(emulator).login()
    assert folder.exists()
    del emulator
    gc.collect()
    assert not folder.exists()


def test_with_a_data_directory_and_no_folder_the_application_stays(tmp_path: Path) -> None:
    with Emulator(data_dir=tmp_path) as first:
        device_id = Wire(first).login().register("kept")
    with Emulator(data_dir=tmp_path) as second:
        assert Wire(second).login().devices() == [device_id]


def test_a_second_one_in_a_home_does_not_change_the_profile_of_the_first(tmp_path: Path) -> None:
    with Emulator(folder=tmp_path) as first:
        with Emulator(folder=tmp_path) as second:
            own = second.profile_path
            assert own != first.profile_path == tmp_path / "profile.toml"
            assert own.stat().st_mode & 0o777 == 0o600
            assert profile_port(own) == second.address[1]
        assert not own.exists()
        assert profile_port(tmp_path / "profile.toml") == first.address[1]
    with Emulator(folder=tmp_path) as third:
        assert third.profile_path == tmp_path / "profile.toml"
        assert profile_port(third.profile_path) == third.address[1]


def test_the_profile_of_a_second_one_is_gone_before_another_one_can_get_its_port(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    close, there = GuardedServer.aclose, []

    async def closing(server: GuardedServer) -> None:
        there.append(own.exists())
        await close(server)

    with Emulator(folder=tmp_path):
        with Emulator(folder=tmp_path) as second:
            own = second.profile_path
            monkeypatch.setattr(GuardedServer, "aclose", closing)
        monkeypatch.undo()
    assert there
    assert not any(there)


def test_a_port_in_use_is_reported_once_and_with_the_name_of_its_setting(emulator: Emulator, home_folder: Path) -> None:
    port = int((emulator.control_url or "").rpartition(":")[2])
    with pytest.raises(BindError, match=r"control_port \(--control-port\)") as told:
        Emulator(control_port=port, folder=home_folder).start()
    assert str(told.value).count("[Errno") == 1
    with pytest.raises(BindError) as told:
        Emulator(port=emulator.address[1], folder=home_folder).start()
    assert "control" not in str(told.value)
    assert str(told.value).count(str(emulator.address[1])) == 1
    assert str(told.value).count("[Errno") == 1


def test_a_port_in_use_is_reported_at_once_and_leaves_nothing_running(emulator: Emulator, home_folder: Path) -> None:
    before = threading.active_count()
    with pytest.raises(BindError, match="another program listens"):
        Emulator(port=emulator.address[1], folder=home_folder).start()
    with pytest.raises(BindError, match="another program listens"):
        Emulator(control_port=int((emulator.control_url or "").rpartition(":")[2]), folder=home_folder).start()
    assert threading.active_count() == before


def test_an_unknown_setting_is_refused(home_folder: Path) -> None:
    with pytest.raises(TypeError, match="unknown setting 'token_life'"):
        Emulator(folder=home_folder, token_life=5)  # type: ignore[call-arg]


def test_callback_files_that_cannot_be_used_are_reported_at_the_start(home_folder: Path) -> None:
    with pytest.raises(ValueError, match=r"callbacks' TLS.*missing\.pem"):
        Emulator(folder=home_folder, callback_ca="missing.pem").start()


def push_outcome(home_folder: Path, tmp_path: Path, case: str, *, strict_x509: bool) -> str:
    """Return the outcome of the first push to a receiver whose certificate has this fault."""
    of_ca, of_server = UNTIDY[case]
    ca = Authority()
    (tmp_path / "receivers-ca.pem").write_bytes(altered(ca, **of_ca).pem)
    server = altered(ca.issue("receiver", ["127.0.0.1"]), **of_server)
    with (
        TlsServer(server_context(server, None, tmp_path)) as receiver,
        Emulator(folder=home_folder, callback_ca=tmp_path / "receivers-ca.pem", strict_x509=strict_x509) as emulator,
    ):
        wire = Wire(emulator).login()
        wanted = {"notifyType": "deviceAdded", "callbackUrl": f"{receiver.url}/in"}
        assert wire.call("POST", "/iocm/app/sub/v1.2.0/subscriptions", wanted)[0] == 201
        wire.register("node-1")
        return str(eventually(lambda: emulator.control.journal(kind="push"))[0]["outcome"])


@pytest.mark.parametrize("case", list(UNTIDY))
def test_pushes_reach_receivers_with_untidy_certificates_on_every_python(
    home_folder: Path, tmp_path: Path, case: str
) -> None:
    assert push_outcome(home_folder, tmp_path, case, strict_x509=False) == "delivered"


def test_strict_checking_refuses_receivers_with_untidy_certificates(home_folder: Path, tmp_path: Path) -> None:
    assert push_outcome(home_folder, tmp_path, "no authority key id", strict_x509=True) != "delivered"


def test_strict_checking_takes_the_emulators_own_client(home_folder: Path) -> None:
    with Emulator(folder=home_folder, strict_x509=True) as emulator:
        Wire(emulator).login()


def test_no_repr_has_the_secret(emulator: Emulator) -> None:
    assert emulator.secret not in repr(emulator)
    assert emulator.secret not in repr(emulator.home)


def test_stopped_it_says_so_and_can_start_again(home_folder: Path) -> None:
    emulator = Emulator(folder=home_folder)
    with pytest.raises(RuntimeError, match="not running"):
        _ = emulator.control
    with emulator:
        first = emulator.address
        control = emulator.control
    with pytest.raises(RuntimeError, match="not running"):
        control.health()
    with emulator:
        assert emulator.address == first
        Wire(emulator).login()


def test_the_control_plane_can_be_left_out(home_folder: Path) -> None:
    with Emulator(folder=home_folder, control_port=None) as emulator:
        assert emulator.control_url is None
        assert emulator.control.health()["status"] == "ok"


def test_the_control_plane_is_not_on_the_northbound_side(wire: Wire) -> None:
    status, answer = wire.call("GET", "/health")
    assert status == 404
    assert set(answer) == {"error_code", "error_desc"}


def test_a_second_emulator_on_one_data_directory_is_refused(home_folder: Path, tmp_path: Path) -> None:
    with (
        Emulator(folder=home_folder, data_dir=tmp_path),
        pytest.raises(DataDirError, match="in use by another emulator"),
    ):
        Emulator(folder=home_folder, data_dir=tmp_path).start()
    with Emulator(folder=home_folder, data_dir=tmp_path) as again:
        Wire(again).login()


def test_a_restart_goes_on_from_the_same_state(home_folder: Path, tmp_path: Path) -> None:
    with Emulator(folder=home_folder, data_dir=tmp_path) as first:
        wire = Wire(first).login()
        kept, gone = wire.register("kept"), wire.register("gone")
        assert wire.call("DELETE", f"/iocm/app/dm/v1.4.0/devices/{gone}")[0] == 204
        status, answer = wire.call(
            "POST", "/iocm/app/reg/v1.1.0/deviceCredentials", {"nodeId": "pending", "timeout": 100}
        )
        assert status == 200, answer
        first.control.freeze()
        first.control.advance(50)
        first.control.change_settings(transitions="manual")
        now = first.control.clock()["now"]
    with Emulator(folder=home_folder, data_dir=tmp_path) as second:
        assert second.control.clock() == {**second.control.clock(), "now": now, "frozen": True}
        assert second.control.settings()["transitions"] == "manual"
        again = Wire(second)
        again.headers = wire.headers  # the token is still good
        assert set(again.devices()) == {kept, answer["deviceId"]}
        second.control.advance(51)  # the registration's timer was kept too
        assert again.devices() == [kept]


def test_an_ordinary_life_logs_nothing(home_folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO), Emulator(folder=home_folder) as emulator:
        Wire(emulator).login().register("node-1")
        assert http_status(f"{emulator.control_url}/health") == 200
    assert caplog.messages == []


def http_status(url: str) -> int:
    with urllib.request.urlopen(url, timeout=60) as answer:
        return int(answer.status)


def test_a_function_gets_each_call_with_its_status(home_folder: Path) -> None:
    told: list[tuple[str, str, int]] = []
    with Emulator(
        folder=home_folder, on_call=lambda call: told.append((call["method"], call["path"], call["status"]))
    ) as emulator:
        wire = Wire(emulator).login()
        assert wire.call("GET", "/iocm/app/dm/v1.4.0/devices/nobody")[0] == 404
        wire.close()
    assert told == [("POST", "/iocm/app/sec/v1.1.0/login", 200), ("GET", "/iocm/app/dm/v1.4.0/devices/nobody", 404)]


@pytest.mark.parametrize("error", [ValueError, SystemExit, KeyboardInterrupt])
def test_a_function_that_fails_costs_no_call_and_no_connection(home_folder: Path, error: type[BaseException]) -> None:
    def fail(call: object) -> None:
        raise error

    with Emulator(folder=home_folder, on_call=fail) as emulator:
        wire = Wire(emulator).login()
        sock = wire.connection.sock
        for _ in range(3):
            assert wire.call("GET", "/iocm/app/dm/v1.4.0/devices/nobody")[0] == 404
        assert wire.connection.sock is sock
        eventually(lambda: len(emulator.control.journal(kind="call")) == 4)
        wire.close()


def test_the_profile_says_where_the_control_plane_is(emulator: Emulator) -> None:
    assert tomllib.loads(emulator.profile_path.read_text())["control"]["url"] == emulator.control_url
