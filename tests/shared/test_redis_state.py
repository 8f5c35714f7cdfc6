"""What only Redis has: TLS, databases, users with few rights, a cluster."""

from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest
from redis.exceptions import MovedError

from iot_northbound.errors import SharedStateError
from iot_northbound.shared import StateAwayError, open_state
from iot_northbound.shared.state import HeldSlot, Mine
from tests.certs import LOOPBACK_NAMES, Authority
from tests.clock import FakeClock
from tests.servers import Proxy, RedisServer, run_redis
from tests.servers.process import free_port
from tests.servers.redis import PASSWORD

APPLICATION = "platform.example:8743/an application"


@attrs.frozen
class Secured:
    """A server that requires client certificates, and the files of its client."""

    port: int
    folder: Path

    def url(self, host: str = "127.0.0.1", **files: str) -> str:
        options = "&".join(f"{name}={self.folder / file}" for name, file in files.items())
        return f"rediss://:{PASSWORD}@{host}:{self.port}/0?{options}"


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    folder = tmp_path_factory.mktemp("redis-tls")
    ca = Authority()
    ca.issue("server", LOOPBACK_NAMES[1:2]).write(folder, "server")
    ca.issue("client", client=True).write(folder, "client")
    (folder / "ca.pem").write_bytes(ca.pem)
    (folder / "another.pem").write_bytes(Authority("another").pem)
    files = {"tls-cert-file": "server.pem", "tls-key-file": "server.key", "tls-ca-cert-file": "ca.pem"}
    port = free_port()
    with run_redis(folder, [f"tls-port {port}", *(f"{name} {folder / file}" for name, file in files.items())]):
        yield Secured(port, folder)


def test_a_server_whose_certificate_is_right_is_used(secured: Secured, clock: FakeClock) -> None:
    state = open_state(secured.url(ca="ca.pem", cert="client.pem", key="client.key"), APPLICATION, clock=clock)
    state.save(0, b"token", 100.0, state.time())
    assert state.read().record == b"token"
    assert state.shown == f"rediss://127.0.0.1:{secured.port}/0"
    state.close()


@pytest.mark.parametrize(
    ("host", "files"),
    [
        pytest.param("127.0.0.1", {"cert": "client.pem", "key": "client.key"}, id="its CA is not a public one"),
        pytest.param("127.0.0.1", {"ca": "another.pem", "cert": "client.pem", "key": "client.key"}, id="another CA"),
        pytest.param("localhost", {"ca": "ca.pem", "cert": "client.pem", "key": "client.key"}, id="another name"),
        pytest.param("127.0.0.1", {"ca": "missing.pem"}, id="no such file"),
    ],
)
def test_a_server_that_cannot_be_trusted_is_refused(
    secured: Secured, clock: FakeClock, host: str, files: dict[str, str]
) -> None:
    state = open_state(secured.url(host, **files), APPLICATION, clock=clock)
    for _ in range(2):
        with pytest.raises(SharedStateError) as refused:
            state.read()
        assert PASSWORD not in str(refused.value)


def test_databases_are_apart(redis_server: RedisServer, clock: FakeClock) -> None:
    one = open_state(redis_server.url, APPLICATION, clock=clock)
    other = open_state(redis_server.url.removesuffix("/0") + "/1", APPLICATION, clock=clock)
    one.save(0, b"token", 100.0, one.time())
    assert other.read().record is None
    for each in (one, other):
        each.clear()
        each.close()


def test_a_user_needs_nothing_but_scripts_and_our_keys(redis_server: RedisServer, clock: FakeClock) -> None:
    rights = [
        "~iot-northbound:*",
        "+eval",
        "+evalsha",
        "+script|load",
        "+time",
        "+@hash",
        "+@string",
        "+@sortedset",
        "+del",
    ]
    redis_server.command("ACL", "SETUSER", "few", "on", ">few-password", *rights)
    redis_server.command("ACL", "SETUSER", "none", "on", ">none-password", "~*", "+ping")
    few, none = (
        open_state(redis_server.url.replace(f":{PASSWORD}", f"{user}:{user}-password"), APPLICATION, clock=clock)
        for user in ("few", "none")
    )
    few.save(0, b"token", 100.0, few.time())
    few.take("me", 0, 10, 100.0, "x")
    few.settle("x", 0)
    assert few.status().present
    few.clear()
    with pytest.raises(SharedStateError, match="permission"):
        none.read()
    few.close()
    none.close()


def test_all_keys_of_an_application_have_one_hash_tag(redis_server: RedisServer, clock: FakeClock) -> None:
    state = open_state(redis_server.url, "platform.example:8743/tagged", clock=clock)
    state.save(0, b"token", 100.0, state.time())
    state.forbid("GET /a", 1.0, 1)
    state.take("me", 0, 10, 100.0, "x")
    keys = redis_server.command("KEYS", "*tagged*").split("\r\n")[2::2]
    assert sorted(keys) == [
        f"iot-northbound:{{platform.example:8743/tagged}}:{name}" for name in ("flow", "notes", "slots", "token")
    ]
    state.close()


def test_a_redis_whose_scripts_are_gone_gets_them_again(redis_server: RedisServer, clock: FakeClock) -> None:
    state = open_state(redis_server.url, APPLICATION, clock=clock)
    state.read()
    redis_server.command("SCRIPT", "FLUSH")
    state.read()
    state.close()


@pytest.mark.parametrize("kept", ["flow", "slots"])
def test_a_server_that_evicts_half_of_the_limit_has_lost_it(
    redis_server: RedisServer, clock: FakeClock, kept: str
) -> None:
    state = open_state(redis_server.url, f"platform.example:8743/evicted-{kept}", clock=clock)
    born = state.take("me", 0, 10, 100.0, "x").born
    assert state.take("me", 0, 10, 100.0, "x").born == born
    lost = "slots" if kept == "flow" else "flow"
    redis_server.command("DEL", f"iot-northbound:{{platform.example:8743/evicted-{kept}}}:{lost}")
    state.put_back([HeldSlot("x", 50.0)])
    assert state.take("me", 0, 10, 100.0, "y").born != born
    assert state.status().slots >= 1
    state.close()


def test_after_a_failover_a_step_connects_anew(redis_server: RedisServer, tmp_path: Path, clock: FakeClock) -> None:
    """The old master lives on as a replica and keeps its connections, while its name leads to the new one."""
    with run_redis(tmp_path) as old, Proxy(old.port) as name:
        state = open_state(
            old.url.replace(f":{old.port}", f":{name.port}"), "platform.example:8743/failover", clock=clock
        )
        state.read()
        old.command("REPLICAOF", "127.0.0.1", "1")
        name.lead_to(redis_server.port)
        with pytest.raises(StateAwayError, match="read only replica"):
            state.acquire("me", 5.0, 0)
        assert isinstance(state.acquire("me", 5.0, 0), Mine)
        state.close()


def test_what_is_no_server_for_one_application_says_so(tmp_path: Path, clock: FakeClock) -> None:
    with run_redis(tmp_path, ["rename-command EVALSHA ''"]) as sentinel:  # it knows few commands, too
        state = open_state(sentinel.url, APPLICATION, clock=clock)
        with pytest.raises(SharedStateError, match="runs no scripts: give the server itself, and not a Sentinel"):
            state.read()
        state.close()


def test_a_node_of_a_cluster_that_has_not_the_keys_says_so(
    redis_server: RedisServer, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def move(*_: object, **__: object) -> None:
        raise MovedError("3999 10.0.0.7:6379")

    state = open_state(redis_server.url, APPLICATION, clock=clock)
    monkeypatch.setattr("redis.commands.core.Script.__call__", move)
    with pytest.raises(
        SharedStateError, match=r"a node of a cluster.*10\.0\.0\.7:6379.*use a server that is no cluster"
    ):
        state.read()
    state.close()
