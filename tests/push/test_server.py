from __future__ import annotations

import http.client
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509 import BasicConstraints, KeyUsage

from iot_northbound.errors import TlsError
from iot_northbound.push import (
    Access,
    InboxInUseError,
    MemoryInbox,
    PushMessageReceiver,
    ReceiverServer,
    SqliteInbox,
    server_context,
)
from iot_northbound.serving import BindError, Limits
from tests.certs import ODD, UNTIDY, Authority, altered
from tests.clock import eventually
from tests.push.helpers import PATIENCE, Recorder, data_body
from tests.serving.probe import is_open

ROUTE = "/v1.0.0/messageReceiver"


class Tls:
    """The certificates of a receiver and of a platform, each with its CA."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        ours, self.theirs = Authority("our ca"), Authority("the platform's ca")
        self.certificate, self.key = ours.issue("receiver", ["127.0.0.1"]).write(folder, "server")
        self.theirs.issue("push.iot.example", client=True).write(folder, "platform")
        self.theirs.issue("somebody", client=True).write(folder, "other")
        self.ca, _ = self.theirs.write(folder, "platform-ca")
        ours.write(folder, "our-ca")

    def client(self, name: str | None = None) -> ssl.SSLContext:
        """Return the context of a platform that shows the certificate of this name."""
        context = ssl.create_default_context(cafile=self.folder / "our-ca.pem")
        if name:
            context.load_cert_chain(self.folder / f"{name}.pem", self.folder / f"{name}.key")
        return context


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Tls:
    return Tls(tmp_path_factory.mktemp("tls"))


def post(
    server: ReceiverServer,
    body: bytes,
    context: ssl.SSLContext | None = None,
    path: str = ROUTE,
    connection: http.client.HTTPConnection | None = None,
) -> tuple[int, bytes]:
    host, port = server.address
    if connection is None:
        connection = (
            http.client.HTTPSConnection(host, port, timeout=PATIENCE, context=context)
            if context
            else http.client.HTTPConnection(host, port, timeout=PATIENCE)
        )
    connection.request("POST", path, body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    return answer.status, answer.read()


def test_it_serves_over_http_behind_a_proxy() -> None:
    receiver = Recorder(MemoryInbox())
    with receiver.server(port=0) as server:
        assert server.url == f"http://127.0.0.1:{server.address[1]}{ROUTE}"
        assert post(server, data_body()) == (200, b"ok")
        assert post(server, b"no")[0] == 400
        assert post(server, b"{}", path="/other")[0] == 404
        assert post(server, b" " * (2 << 20))[0] == 413
        receiver.log.wait_for(1)


def test_it_serves_over_tls_and_keeps_the_connection(tls: Tls) -> None:
    receiver = Recorder(MemoryInbox())
    with receiver.server(port=0, ssl=server_context(tls.certificate, tls.key)) as server:
        connection = http.client.HTTPSConnection("127.0.0.1", server.address[1], timeout=PATIENCE, context=tls.client())
        connection.connect()
        socket_ = connection.sock
        for number in range(10):
            assert post(server, data_body("d", number), connection=connection)[0] == 200
        assert connection.sock is socket_
        connection.close()
    assert len(receiver.log.items) == 10


def test_client_certificates_are_asked_for_and_their_names_checked(tls: Tls) -> None:
    context = server_context(tls.certificate, tls.key, client_ca=tls.ca)
    receiver = Recorder(MemoryInbox(), access=Access(client_names=["push.iot.example"]))
    with receiver.server(port=0, ssl=context) as server:
        assert post(server, data_body(), tls.client("platform"))[0] == 200
        assert post(server, data_body(), tls.client("other"))[0] == 403
        with pytest.raises((ssl.SSLError, ConnectionError)):
            post(server, data_body(), tls.client())
        assert receiver.metrics().accepted == 1


def untidy(tls: Tls, case: str, tmp_path: Path) -> tuple[Path, ssl.SSLContext]:
    """Return the CA's file and a context that shows a certificate of that CA, both with this fault."""
    of_ca, of_client = {**UNTIDY, **ODD}[case]
    ca, _ = altered(tls.theirs, **of_ca).write(tmp_path, "ca")
    client = tls.client()
    client.load_cert_chain(*altered(tls.theirs.issue("push", client=True), **of_client).write(tmp_path, "client"))
    return ca, client


@pytest.mark.parametrize("case", [*UNTIDY, *ODD])
def test_untidy_platform_certificates_are_accepted_on_every_python(tls: Tls, tmp_path: Path, case: str) -> None:
    ca, client = untidy(tls, case, tmp_path)
    with Recorder(MemoryInbox()).server(port=0, ssl=server_context(tls.certificate, tls.key, client_ca=ca)) as server:
        assert post(server, data_body(), client)[0] == 200


@pytest.mark.parametrize("case", list(UNTIDY))
def test_strict_checking_refuses_untidy_platform_certificates(tls: Tls, tmp_path: Path, case: str) -> None:
    ca, client = untidy(tls, case, tmp_path)
    context = server_context(tls.certificate, tls.key, client_ca=ca, strict_x509=True)
    with (
        Recorder(MemoryInbox()).server(port=0, ssl=context) as server,
        pytest.raises((ssl.SSLError, ConnectionError)),
    ):
        post(server, data_body(), client)


def test_a_ca_that_does_not_say_it_is_one_is_refused_and_the_clients_own_certificate_is_accepted(
    tls: Tls, tmp_path: Path
) -> None:
    ca, _ = altered(tls.theirs, without=[BasicConstraints, KeyUsage]).write(tmp_path, "ca")
    own, key = tls.theirs.issue("push", client=True).write(tmp_path, "client")
    client = tls.client()
    client.load_cert_chain(own, key)
    with Recorder(MemoryInbox()) as receiver:
        with (
            receiver.server(port=0, ssl=server_context(tls.certificate, tls.key, client_ca=ca)) as server,
            pytest.raises((ssl.SSLError, ConnectionError)),
        ):
            post(server, data_body(), client)
        with receiver.server(port=0, ssl=server_context(tls.certificate, tls.key, client_ca=own)) as server:
            assert post(server, data_body(), client)[0] == 200


def test_strict_checking_accepts_tidy_platform_certificates(tls: Tls) -> None:
    context = server_context(tls.certificate, tls.key, client_ca=tls.ca, strict_x509=True)
    with Recorder(MemoryInbox()).server(port=0, ssl=context) as server:
        assert post(server, data_body(), tls.client("platform"))[0] == 200


def test_the_platforms_intermediate_ca_or_its_certificate_alone_may_be_trusted(tls: Tls, tmp_path: Path) -> None:
    intermediate = tls.theirs.intermediate()
    leaf = intermediate.issue("push", client=True)
    client = tls.client()
    client.load_cert_chain(*leaf.write(tmp_path, "client"))
    for number, trusted in enumerate((intermediate, leaf)):
        ca, _ = trusted.write(tmp_path, f"trusted-{number}")
        context = server_context(tls.certificate, tls.key, client_ca=ca)
        with Recorder(MemoryInbox()).server(port=0, ssl=context) as server:
            assert post(server, data_body(), client)[0] == 200
            with pytest.raises((ssl.SSLError, ConnectionError)):
                post(server, data_body(), tls.client("other"))


def test_client_certificates_may_be_left_to_the_name_check(tls: Tls) -> None:
    context = server_context(tls.certificate, tls.key, client_ca=tls.ca, require_client_certificate=False)
    receiver = Recorder(MemoryInbox(), access=Access(client_names=["push.iot.example"]))
    with receiver.server(port=0, ssl=context) as server:
        assert post(server, data_body(), tls.client("platform"))[0] == 200
        assert post(server, data_body(), tls.client())[0] == 403


def test_a_post_to_a_wrong_path_is_logged_with_the_right_one(tls: Tls, caplog: pytest.LogCaptureFixture) -> None:
    receiver = Recorder(MemoryInbox())
    with receiver.server(port=0, ssl=server_context(tls.certificate, tls.key)) as server:
        assert server.url.endswith(ROUTE)
        for _ in range(2):
            assert post(server, data_body(), tls.client(), path="/messageReceiver")[0] == 404
    lines = [message for message in caplog.messages if "404" in message]
    assert lines == [f"POST to '/messageReceiver' answered 404: this receiver serves {ROUTE}"]


def test_tls_files_that_cannot_be_used_are_named_with_the_reason(tls: Tls, tmp_path: Path) -> None:
    junk, missing, locked = tmp_path / "junk.pem", tmp_path / "missing.pem", tmp_path / "locked.key"
    junk.write_text("no PEM at all")
    key = load_pem_private_key(tls.key.read_bytes(), None)
    locked.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"not-a-real-one")))
    for arguments, why in (
        ((missing,), "missing.pem cannot be used for the server's TLS: No such file"),
        ((tls.folder, tls.key), "Is a directory"),
        ((junk,), "junk.pem cannot be used for the server's TLS: it has no PEM certificate"),
        ((tls.certificate,), "it has no PEM private key"),
        ((tls.certificate, tls.folder / "other.key"), "server.pem with .*other.key .*does not belong"),
        ((tls.certificate, locked), "password is missing or wrong"),
    ):
        with pytest.raises(TlsError, match=why) as caught:
            server_context(*arguments)
        assert caught.value.error_code == "1006"
        assert "PEM lib" not in str(caught.value)
    for wrong, why in ((missing, "No such file"), (junk, "has no PEM certificate")):
        with pytest.raises(TlsError, match=f"{wrong.name} .*{why}"):
            server_context(tls.certificate, tls.key, client_ca=wrong)
    server_context(tls.certificate, locked, password="not-a-real-one")


def test_a_silent_peer_does_not_disturb_others(tls: Tls) -> None:
    receiver = Recorder(MemoryInbox())
    limits = Limits(header_deadline=3600)
    with receiver.server(port=0, ssl=server_context(tls.certificate, tls.key), limits=limits) as server:
        silent = [socket.create_connection(server.address, timeout=PATIENCE) for _ in range(20)]
        assert post(server, data_body(), tls.client())[0] == 200
        assert all(is_open(each) for each in silent)
        for each in silent:
            each.close()


def test_half_a_push_of_one_address_over_and_over_does_not_delay_the_next_one() -> None:
    receiver = Recorder(MemoryInbox())
    with receiver.server(port=0, limits=Limits(stop_grace=0.1)) as server:
        halves = []
        for _ in range(1_100):
            halves.append(socket.create_connection(server.address, PATIENCE, ("127.0.0.1", 0)))
            halves[-1].sendall(b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{" % ROUTE.encode())
        for source in ("127.0.0.2", "127.0.0.1"):
            connection = http.client.HTTPConnection(*server.address, timeout=60, source_address=(source, 0))
            connection.request("POST", ROUTE, data_body(source))
            assert connection.getresponse().read() == b"ok"
            connection.close()
        for half in halves:
            half.close()
    assert receiver.metrics().accepted == 2


def test_what_the_server_itself_refuses_is_counted() -> None:
    receiver = PushMessageReceiver(MemoryInbox(), body_limit=100)
    with receiver.server(port=0) as server:
        assert post(server, b"x" * 101)[0] == 413
        assert receiver.metrics().refused == {413: 1}


def test_a_server_whose_inbox_is_in_use_lets_go_of_its_port(tmp_path: Path) -> None:
    with PushMessageReceiver(SqliteInbox(tmp_path / "inbox")).server(port=0):
        refused = PushMessageReceiver(SqliteInbox(tmp_path / "inbox")).server(port=0)
        for start in (refused.start, refused.serve_forever):
            with pytest.raises(InboxInUseError):
                start()
            with socket.create_server(refused.address):
                pass


def test_a_taken_port_is_reported() -> None:
    with Recorder(MemoryInbox()).server(port=0) as server, pytest.raises(BindError, match="listen"):
        Recorder(MemoryInbox()).server(port=server.address[1]).start()


def test_without_an_inbox_it_serves_from_a_durable_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with PushMessageReceiver().server(port=0) as server:
        assert post(server, data_body())[0] == 200
    assert (tmp_path / "iot-northbound-inbox.sqlite3").exists()


def test_a_stop_finishes_what_was_accepted() -> None:
    receiver = Recorder(MemoryInbox(), threads=1)
    entered, release = threading.Event(), threading.Event()

    def slow(_: Any) -> None:
        entered.set()
        assert release.wait(PATIENCE)

    receiver.on_body(slow)
    server = receiver.server(port=0).start()
    for number in range(5):
        post(server, data_body("d", number))
    assert entered.wait(PATIENCE)
    finished = []
    stopper = threading.Thread(target=lambda: finished.append(server.stop()))
    stopper.start()
    release.set()
    stopper.join(PATIENCE)
    assert finished == [True]
    assert receiver.metrics().handled == 5


STAND_ALONE = """
import sys
from iot_northbound.push import PushMessageReceiver, SqliteInbox

class Application(PushMessageReceiver):
    def handle_device_data_changed(self, body):
        print(f"handled {self.event.raw['n']}\\n", end="", flush=True)  # one write: handlers are on several threads

server = Application(SqliteInbox(sys.argv[1])).server(port=0)
server.serve_forever(lambda: print("port", server.address[1], flush=True))
print("stopped", flush=True)
"""


def test_serving_in_the_foreground_ends_cleanly_on_sigterm(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", STAND_ALONE, str(tmp_path / "inbox")], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline().split()[1])
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        for number in range(20):
            connection.request("POST", ROUTE, data_body(f"d{number}", number))
            assert connection.getresponse().read() == b"ok"
        os.kill(process.pid, signal.SIGTERM)
        lines = process.stdout.read().split("\n")
        assert process.wait(PATIENCE) == 0
    assert sorted(lines[:20]) == sorted(f"handled {number}" for number in range(20))
    assert lines[20] == "stopped"


def test_many_connections_at_once_lose_nothing(tls: Tls, tmp_path: Path) -> None:
    receiver = Recorder(SqliteInbox(tmp_path / "inbox"))
    failures: list[int] = []

    def send(server: ReceiverServer, name: str) -> None:
        connection = http.client.HTTPSConnection("127.0.0.1", server.address[1], timeout=PATIENCE, context=tls.client())
        for number in range(25):
            if post(server, data_body(name, number), connection=connection)[0] != 200:
                failures.append(number)
        connection.close()

    with receiver.server(port=0, ssl=server_context(tls.certificate, tls.key)) as server:
        threads = [threading.Thread(target=send, args=(server, f"d{number}")) for number in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE * 3)
        eventually(lambda: receiver.metrics().handled == 400)
    assert failures == []
    assert len(set(receiver.log.items)) == 400
