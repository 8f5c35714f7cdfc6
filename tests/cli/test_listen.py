from __future__ import annotations

import http.client
import json
import os
import signal
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from iot_northbound.cli import main
from iot_northbound.cli.listen import line, line_as_json, wanted
from iot_northbound.client import NorthApiClient
from iot_northbound.dto import RegDirectDeviceInDTO2
from iot_northbound.emulator import Emulator
from iot_northbound.push import Event
from iot_northbound.push.events import KINDS
from iot_northbound.push.parse import parse
from iot_northbound.testing.messages import push_body
from tests.certs import Authority, altered

ROUTE = "/v1.0.0/messageReceiver"
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC).timestamp()


@contextmanager
def listening(*arguments: str, cwd: Path, stdout: Any = subprocess.PIPE) -> Iterator[tuple[Any, str]]:
    """Run the command until its first message can come; yield the process and its address."""
    command = [sys.executable, "-m", "iot_northbound", "listen", "--port", "0", *arguments]
    with subprocess.Popen(
        command, stdout=stdout, stderr=subprocess.PIPE, text=True, cwd=cwd, env={**os.environ, "TZ": "UTC"}
    ) as process:
        try:
            lines: list[str] = []
            assert process.stderr is not None
            while not (lines and "listening on" in lines[-1]):
                lines.append(process.stderr.readline())
                assert lines[-1], lines
            process.lines = lines  # type: ignore[attr-defined]
            url = lines[-1].split()[-1]
            yield process, url.split("/")[2]
        finally:
            process.kill()


def post(address: str, body: bytes, path: str = ROUTE) -> int:
    connection = http.client.HTTPConnection(address, timeout=60)
    connection.request("POST", path, body)
    status = connection.getresponse().status
    connection.close()
    return status


def end(process: Any) -> None:
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0


def event(body: bytes) -> Event:
    return Event.of(parse(body, NOON), 1, 1)


@pytest.mark.parametrize("strict", [False, True])
def test_strict_checking_of_the_platforms_certificate_is_an_option(tmp_path: Path, strict: bool) -> None:
    ca = Authority()
    untidy = altered(ca.issue("push", client=True), without=[x509.AuthorityKeyIdentifier])
    server, key = ca.issue("receiver", ["127.0.0.1"]).write(tmp_path, "server")
    trusted, _ = ca.write(tmp_path, "ca")
    options = ["--memory", "--tls-cert", server, "--tls-key", key, "--tls-client-ca", trusted]
    context = ssl.create_default_context(cafile=trusted)
    context.load_cert_chain(*untidy.write(tmp_path, "client"))
    with listening(*map(str, options), *["--tls-strict-x509"] * strict, cwd=tmp_path) as (_, address):
        connection = http.client.HTTPSConnection(address, timeout=60, context=context)
        with pytest.raises((ssl.SSLError, ConnectionError)) if strict else nullcontext():
            connection.request("POST", ROUTE, push_body("deviceDataChanged"))
            assert connection.getresponse().status == 200
        connection.close()


def test_each_message_is_a_line_and_the_inbox_a_file(tmp_path: Path) -> None:
    with listening(cwd=tmp_path) as (process, address):
        assert post(address, push_body("deviceDeleted", deviceId="meter-7")) == 200
        assert process.stdout.readline().split()[1:3] == ["deviceDeleted", "meter-7"]
        end(process)
    assert (tmp_path / "iot-northbound-inbox.sqlite3").exists()


def test_json_lines_are_whole_and_filtered(tmp_path: Path) -> None:
    filters = ("--json", "--memory", "--kind", "device*", "--device", "meter-*", "--device", "lamp")
    with listening(*filters, cwd=tmp_path) as (process, address):
        for kind, device in (("deviceDeleted", "x"), ("commandStatusChanged", "lamp"), ("deviceAdded", "meter-1")):
            assert post(address, push_body(kind, {"extra": [1.0, None]}, deviceId=device)) == 200
        shown = json.loads(process.stdout.readline())
        assert (shown["kind"], shown["device"], shown["message"]["extra"]) == ("deviceAdded", "meter-1", [1.0, None])
        end(process)
        assert process.stdout.read() == ""
    assert not list(tmp_path.iterdir())


def test_a_path_secret_guards_it_and_is_not_printed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("a-segment-nobody-guesses\n")
    with listening("--memory", "--path-secret-file", "secret", cwd=tmp_path) as (process, address):
        assert post(address, push_body("deviceAdded")) == 404
        assert post(address, push_body("deviceAdded"), f"/a-segment-nobody-guesses{ROUTE}") == 200
        end(process)
        assert "nobody" not in process.stderr.read()


def test_it_ends_when_its_reader_does_and_keeps_what_was_not_shown(tmp_path: Path) -> None:
    with listening(cwd=tmp_path) as (process, address):
        process.stdout.close()
        assert post(address, push_body("deviceAdded", deviceId="d1")) == 200
        process.wait(60)
        assert process.stderr.read() == "stopped; 0 handled, 1 waiting for the next start\n"
    with listening(cwd=tmp_path) as (process, _):
        assert process.stdout.readline().split()[1:3] == ["deviceAdded", "d1"]
        end(process)
        assert process.stderr.read() == "stopped; 1 handled, 0 waiting for the next start\n"


def test_it_subscribes_and_unsubscribes(tmp_path: Path) -> None:
    with Emulator(folder=tmp_path / "home") as emulator:
        home = emulator.home.folder
        tls = ("--tls-cert", str(home / "server.pem"), "--tls-key", str(home / "server.key"))
        with (
            NorthApiClient.from_profile(emulator.profile_path) as client,
            listening(
                *("--subscribe", "--profile", str(emulator.profile_path), "--kind", "device*", "--host", "localhost"),
                *tls,
                cwd=tmp_path,
            ) as (process, address),
        ):
            subscriptions = list(client.subscription_management.iter_subscriptions())
            assert {each.callback_url for each in subscriptions} == {f"https://{address}{ROUTE}"}
            assert "deviceAdded" in {each.notify_type for each in subscriptions}
            assert "ruleEvent" not in {each.notify_type for each in subscriptions}
            device = client.device_management.reg_direct_device(RegDirectDeviceInDTO2(node_id="n1", timeout=0))
            assert process.stdout.readline().split()[1:3] == ["deviceAdded", device.device_id]
            end(process)
            said = process.stderr.read()
            assert said.endswith(
                f"unsubscribed from {len(subscriptions)} kinds\nstopped; 1 handled, 0 waiting for the next start\n"
            )
            # Two programs use one application here, each with a token of its own.
            assert "another process or client probably logs in" in said
            client.authentication.get_auth_token()
            assert list(client.subscription_management.iter_subscriptions()) == []


def test_former_subscriptions_are_restored_at_the_end(tmp_path: Path) -> None:
    other = "https://other.example:9443/a-secret-segment/v1.0.0/messageReceiver"
    with Emulator(folder=tmp_path / "home") as emulator:
        profile = str(emulator.profile_path)
        with NorthApiClient.from_profile(profile) as client:
            client.subscription_management.ensure(other, ["deviceAdded", "deviceDeleted"])
            with listening("--subscribe", "--memory", "--profile", profile, "--kind", "*Added", cwd=tmp_path) as (
                process,
                _,
            ):
                assert "deviceAdded went to other.example:9443, and will go there again at the end\n" in process.lines
                end(process)
                assert "a-secret-segment" not in "".join(process.lines) + process.stderr.read()
            client.authentication.get_auth_token()
            held = {
                (each.notify_type, each.callback_url) for each in client.subscription_management.iter_subscriptions()
            }
    assert held == {("deviceAdded", other), ("deviceDeleted", other)}


def test_subscribing_needs_an_address_that_can_be_posted_to(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["listen", "--memory", "--subscribe", "--host", "0.0.0.0"]) in (0, 2)
    assert "--callback-url" in capsys.readouterr().err


def test_a_failed_start_is_reported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    assert main(["listen", "--memory", "--port", "0", "--network", "here"]) == 3
    assert "--network = 'here': " in capsys.readouterr().err
    assert main(["listen", "--inbox", str(tmp_path / "no" / "inbox"), "--port", "0"]) == 1
    assert "cannot be opened" in capsys.readouterr().err
    assert main(["listen", "--memory", "--port", "0", "--tls-cert", "missing.pem"]) == 3
    assert "missing.pem" in capsys.readouterr().err
    assert main(["listen", "--memory", "--port", "0", "--path-secret-file", "nothing"]) == 3
    assert "nothing cannot be read" in capsys.readouterr().err


def test_it_says_where_messages_wait(tmp_path: Path) -> None:
    kept = "0 waiting for the next start"
    for arguments, inbox, rest in (
        (("--memory",), "inbox in memory\n", "0 lost"),
        ((), f"inbox {tmp_path / 'iot-northbound-inbox.sqlite3'}\n", kept),
        (("--inbox", "mine"), f"inbox {tmp_path / 'mine'}\n", kept),
    ):
        with listening(*arguments, cwd=tmp_path) as (process, _):
            assert inbox in process.lines
            process.send_signal(signal.SIGINT)
            assert process.stderr.read() == f"stopped; 0 handled, {rest}\n"
            assert process.wait(60) == 0


def test_lines_in_a_file_are_whole(tmp_path: Path) -> None:
    with listening("--memory", cwd=tmp_path) as (process, address):
        assert post(address, push_body("deviceAdded", {"extra": "x" * 5000}, deviceId="d1")) == 200
        assert "x" * 5000 in process.stdout.readline()
        end(process)


def test_lines_on_a_terminal_are_cut(tmp_path: Path) -> None:
    master, terminal = os.openpty()
    with (
        os.fdopen(master) as screen,
        os.fdopen(terminal, "w") as stdout,
        listening("--memory", cwd=tmp_path, stdout=stdout) as (process, address),
    ):
        assert post(address, push_body("deviceAdded", {"extra": "x" * 5000}, deviceId="d1")) == 200
        shown = screen.readline()
        end(process)
    assert shown.endswith("…\n")
    assert len(shown) < 160


def test_the_help_lists_the_kinds(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["listen", "--help"]) in (0, 2)
    assert f"Kinds: {', '.join(KINDS)}." in " ".join(capsys.readouterr().out.split())


def test_a_bad_callback_url_is_reported_by_the_option(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    with Emulator(folder=tmp_path) as emulator:
        platform = ("--subscribe", "--profile", str(emulator.profile_path))
        assert main(["listen", "--memory", "--port", "0", *platform, "--callback-url", "here"]) == 3
    assert "--callback-url = 'here': " in capsys.readouterr().err


def test_the_data_comes_first() -> None:
    service = {"serviceId": "Battery", "serviceType": "Battery", "data": {"level": 81}, "eventTime": "20260301T120000Z"}
    text = line(event(push_body("deviceDataChanged", deviceId="d", requestId=None, gatewayId="g", service=service)))
    assert text.split(" ", 3)[3].startswith('{"service":{"data":{"level":81},"serviceId":"Battery"')
    text = line(event(push_body("deviceDatasChanged", deviceId="d", gatewayId="g", services=[service])))
    assert text.split(" ", 3)[3].startswith('{"services":[{"data":{"level":81},')


def test_lines_are_short_and_cannot_steer_the_terminal() -> None:
    text = line(event(push_body("deviceAdded", {"extra": "x" * 1000}, deviceId="d\x1b[2J\n")), widest=100)
    assert text.isprintable()
    assert len(text) < 220
    assert "deviceAdded d\\x1b[2J\\n" in text
    assert line(event(b'{"a":1}')).endswith(' unknown - {"a":1}')
    assert "\n" not in line_as_json(event(push_body("deviceAdded", deviceId="a\nb")))


@pytest.mark.parametrize(
    ("kinds", "devices", "fits"),
    [(None, None, True), (["deviceA*"], None, True), (["rule*"], None, False), (None, ["x", "device-1"], True)],
)
def test_filters(kinds: list[str] | None, devices: list[str] | None, fits: bool) -> None:
    assert wanted(kinds, devices)(event(push_body("deviceAdded"))) is fits


@pytest.mark.parametrize("number", ["1e999", "-1e999", "[1e400, 5]", '{"a": {"b": -2E+500}}', "9" * 400 + ".0"])
def test_a_number_too_large_for_a_float_stays_as_it_came(number: str) -> None:
    shown = event(b'{"notifyType":"new","deviceId":"d","level":' + number.encode() + b"}")
    for text in (line(shown), line_as_json(shown)):
        assert "Infinity" not in text
        assert "inf" not in text.lower().replace("info", "")
    whole = line_as_json(shown)
    assert f'"level":{number}' in whole
    json.loads(whole, parse_constant=pytest.fail)


def test_a_json_line_has_the_message_as_it_came() -> None:
    body = '{"a":\r\n 1.0,\t"ü":"\\ud800 𝄞\u2028","n":12345678901234567890,\n"b":[ ]}'
    text = line_as_json(event(body.encode()))
    assert text.isascii()
    assert len(text.splitlines()) == 1
    assert '"n":12345678901234567890' in text
    assert json.loads(text)["message"] == json.loads(body)


def test_a_probe_is_shown(tmp_path: Path) -> None:
    for options, shown in ((["--json"], '"message": "push success."'), ([], "probe - push success.")):
        with listening("--memory", *options, cwd=tmp_path) as (process, address):
            assert post(address, b"push success.\n") == 200
            assert shown in process.stdout.readline()
            end(process)


def test_a_damaged_inbox_is_reported_without_a_traceback(tmp_path: Path) -> None:
    (tmp_path / "iot-northbound-inbox.sqlite3").write_bytes(b"no database" * 1_000)
    command = [sys.executable, "-m", "iot_northbound", "listen", "--port", "0"]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 1
    assert "move it away" in ended.stderr
    assert "Traceback" not in ended.stderr
