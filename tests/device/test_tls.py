import contextlib
import socket
import ssl
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import pkcs12

from iot_northbound import SSLConfig
from iot_northbound.device import Backoff, DeviceClient, DeviceState
from iot_northbound.errors import NorthApiException, TlsError, TlsReason
from tests.certs import Authority
from tests.clock import FakeClock, eventually
from tests.device.conftest import CREDENTIALS, MakeDevice
from tests.device.peer import Peer


def failure(device: DeviceClient) -> NorthApiException:
    device.start(wait=False)
    return eventually(lambda: device.last_error)


def test_another_ca_is_refused_and_nothing_is_sent(make_device: MakeDevice, peer: Peer, tmp_path: Path) -> None:
    other, _ = Authority("another").write(tmp_path, "other")
    error = failure(make_device(ca_path=other, clock=FakeClock()))
    assert isinstance(error, TlsError)
    assert error.reason is TlsReason.SERVER_UNTRUSTED
    assert "Check ca_path: it must contain" in str(error)
    assert error.remedy.startswith("Check ca_path")
    assert peer.logins == []


def test_a_ca_of_an_ssl_config_is_named_as_its_field(make_device: MakeDevice, tmp_path: Path) -> None:
    other, _ = Authority("another").write(tmp_path, "other")
    error = failure(make_device(ssl_config=SSLConfig(trust_ca_path=other), clock=FakeClock()))
    assert "Check SSLConfig.trust_ca_path: it must contain" in str(error)


def test_an_address_that_does_not_answer_leaves_time_for_the_next_one(
    make_device: MakeDevice, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Watched(FakeClock):
        looks = 0

        def monotonic(self) -> float:
            self.looks += 1
            return super().monotonic()

    def resolve(*args: Any, **options: Any) -> list[Any]:
        clock.looks = 0
        return found

    clock = Watched()
    with contextlib.ExitStack() as stack:
        full = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(3):  # then the machine drops what comes
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
        stream = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
        found = [(*stream, full.getsockname()), (*stream, ("127.0.0.1", peer.port))]
        monkeypatch.setattr(socket, "getaddrinfo", resolve)
        device = make_device(clock=clock).start(wait=False)
        eventually(lambda: clock.looks > 2)  # it waits for the first address
        clock.advance(8)
        device.start(timeout=30)
    assert len(peer.logins) == 1


@pytest.mark.parametrize("name", [None, "platform.example"])
def test_a_wait_does_not_outlast_a_certificate_that_is_not_accepted(
    make_device: MakeDevice, peer: Peer, tmp_path: Path, name: str | None
) -> None:
    other, _ = Authority("another").write(tmp_path, "other")
    config = SSLConfig(trust_ca_path=peer.ca_path if name else other, expected_hostname=name)
    device = make_device(ssl_config=config, clock=FakeClock())
    wrong = TlsReason.SERVER_WRONG_NAME if name else TlsReason.SERVER_UNTRUSTED
    with pytest.raises(TlsError) as caught:
        device.start(timeout=30)
    assert caught.value.reason is wrong
    assert device.state in (DeviceState.WAITING, DeviceState.CONNECTING)  # it goes on
    with pytest.raises(TlsError), make_device(ssl_config=config, clock=FakeClock()) as entered:
        pass
    assert caught.value.reason is wrong
    assert "entered" not in locals()


def test_a_certificate_that_is_accepted_later_ends_the_distrust(make_device: MakeDevice, peer: Peer) -> None:
    answers = [False, True]
    config = SSLConfig(trust_ca_path=peer.ca_path, hostname_verifier=lambda host, certificate: answers.pop(0))
    clock = FakeClock()
    device = make_device(ssl_config=config, clock=clock, backoff=Backoff(first=9, longest=9, random=lambda: 1))
    with pytest.raises(TlsError):
        device.start(timeout=30)
    eventually(lambda: clock.waits)
    clock.advance(9)
    eventually(lambda: device.state is DeviceState.CONNECTED)
    device.start(timeout=0)


def test_another_host_name_is_refused(make_device: MakeDevice, peer: Peer) -> None:
    config = SSLConfig(trust_ca_path=peer.ca_path, expected_hostname="platform.example")
    error = failure(make_device(ssl_config=config, clock=FakeClock()))
    assert isinstance(error, TlsError)
    assert error.reason is TlsReason.SERVER_WRONG_NAME
    assert peer.logins == []


def test_an_expected_host_name_replaces_that_of_the_address(tmp_path: Path) -> None:
    with Peer(tmp_path) as peer:
        config = SSLConfig(trust_ca_path=peer.ca_path, expected_hostname="localhost")
        with DeviceClient(CREDENTIALS, "127.0.0.1", peer.port, ssl_config=config) as device:
            device.report("A", {}).result(30)


@pytest.mark.parametrize("answer", [True, False, "yes", ZeroDivisionError])
def test_a_rule_of_ones_own_decides(make_device: MakeDevice, peer: Peer, answer: Any) -> None:
    asked: list[tuple[str, tuple[str, ...]]] = []

    def rule(host: str, certificate: Any) -> Any:
        asked.append((host, certificate.dns_names))
        return 1 / 0 if answer is ZeroDivisionError else answer

    device = make_device(ssl_config=SSLConfig(trust_ca_path=peer.ca_path, hostname_verifier=rule), clock=FakeClock())
    if answer is True:
        device.start(timeout=30)
    else:
        error = failure(device)
        assert isinstance(error, TlsError)
        assert error.reason is TlsReason.SERVER_WRONG_NAME
        assert peer.logins == []
    assert asked[0] == ("localhost", ("localhost",))


def test_a_ca_may_be_in_a_file_of_another_kind(make_device: MakeDevice, peer: Peer, tmp_path: Path) -> None:
    der = tmp_path / "ca.der"
    der.write_bytes(peer.ca.der)
    p12 = tmp_path / "ca.p12"
    p12.write_bytes(pkcs12.serialize_java_truststore([pkcs12.PKCS12Certificate(peer.ca.certificate, b"ca")], _locked()))
    for options in ({"ca_path": der}, {"ssl_config": SSLConfig(trust_ca_path=p12, trust_ca_pwd="t0p")}):
        device = make_device(**options)
        assert device.start(timeout=30).state is DeviceState.CONNECTED
        device.close()
    with pytest.raises(TlsError, match=r"ca_path .* give a PEM file, or an SSLConfig with trust_ca_pwd"):
        make_device(ca_path=p12)


def _locked() -> Any:
    from cryptography.hazmat.primitives.serialization import BestAvailableEncryption

    return BestAvailableEncryption(b"t0p")


def test_a_ca_file_that_is_missing_is_named_at_once(make_device: MakeDevice, tmp_path: Path) -> None:
    with pytest.raises(TlsError, match=r"1006: ca_path '.*ca\.pem'"):
        make_device(ca_path=tmp_path / "ca.pem")


def test_plain_text_on_the_port_is_named(make_device: MakeDevice, peer: Peer, tmp_path: Path) -> None:
    import threading

    with socket.create_server(("127.0.0.1", 0)) as plain:
        device = DeviceClient(CREDENTIALS, "127.0.0.1", plain.getsockname()[1], ca_path=peer.ca_path, clock=FakeClock())

        def serve() -> None:
            connection, _ = plain.accept()
            with connection:
                connection.recv(1)
                connection.sendall(b"\x20\x02\x00\x01 no TLS here")
                connection.recv(1_000)

        thread = threading.Thread(target=serve)
        thread.start()
        error = failure(device)
        device.close()
        thread.join(30)
    assert isinstance(error, TlsError)
    assert error.reason is TlsReason.NOT_TLS
    assert "8883 by default" in str(error)


def test_an_old_protocol_is_refused(peer: Peer, make_device: MakeDevice) -> None:
    peer._context.maximum_version = ssl.TLSVersion.TLSv1_2
    config = SSLConfig(trust_ca_path=peer.ca_path, minimum_version=ssl.TLSVersion.TLSv1_3)
    error = failure(make_device(ssl_config=config, clock=FakeClock()))
    assert isinstance(error, TlsError)
    assert error.reason is TlsReason.NO_COMMON_PROTOCOL
