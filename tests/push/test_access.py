from __future__ import annotations

from typing import Any

import pytest

from iot_northbound.errors import InvalidArgumentError
from iot_northbound.push import Access, MemoryInbox, Peer, PushMessageReceiver
from iot_northbound.push.access import ROUTE, Gate

SECRET = "a-path-nobody-guesses-1"


def gate(route: str = ROUTE, **access: Any) -> Gate:
    return Gate(Access(**access), route, 1000)


def status(
    checker: Gate,
    path: str | None = ROUTE,
    peer: Peer | None = None,
    method: str = "POST",
    mounted_at: str = "",
    length: int | None = 10,
) -> int | None:
    refusal = checker.refuses(method, path, mounted_at, length, peer or Peer())
    return 200 if refusal is None else refusal.status


def test_everybody_may_post_by_default() -> None:
    assert status(gate()) == 200


@pytest.mark.parametrize("path", [ROUTE, f"{ROUTE}/", f"{ROUTE}/cmd"])
@pytest.mark.parametrize("mounted_at", ["", "/iot", "/a/b"])
def test_the_routes_are_found_below_where_it_is_mounted(path: str, mounted_at: str) -> None:
    assert status(gate(), path, mounted_at=mounted_at) == 200  # WSGI: only the path below
    assert status(gate(), mounted_at + path, mounted_at=mounted_at) == 200  # ASGI: the whole path


def test_it_may_be_mounted_at_the_route_itself() -> None:
    assert status(gate(), "", mounted_at=ROUTE) == 200
    assert status(gate(), "/cmd", mounted_at=ROUTE) == 200
    assert status(gate(), ROUTE + "/cmd", mounted_at=ROUTE) == 200
    assert status(gate(), "/other", mounted_at=ROUTE) == 404


def test_the_route_may_be_another() -> None:
    assert status(gate("/pushes"), "/pushes/cmd") == 200
    assert status(gate("/pushes"), ROUTE) == 404
    for wrong in ("pushes", "/", "", "/a b", "/a?b"):
        with pytest.raises(InvalidArgumentError, match="must be a path"):
            gate(wrong)


def test_a_path_secret_has_to_be_there_and_right() -> None:
    guarded = gate(path_secret=SECRET)
    assert status(guarded, f"/{SECRET}{ROUTE}") == 200
    assert status(guarded, f"/{SECRET}{ROUTE}/cmd", mounted_at="/iot") == 200
    for path in (ROUTE, f"/{SECRET[:-1]}{ROUTE}", f"/{SECRET}", f"/{SECRET}/x", f"//{SECRET}{ROUTE}", "/\ud800/x"):
        assert status(guarded, path) == 404
    assert status(guarded, None) == 404


def test_a_path_secret_has_to_be_worth_its_name_and_stays_hidden() -> None:
    for wrong in ("short", "with/slash-and-more-x", "blank in the middle"):
        with pytest.raises(InvalidArgumentError) as caught:
            Access(path_secret=wrong)
        assert wrong not in str(caught.value)
    assert SECRET not in repr(Access(path_secret=SECRET))


def test_only_listed_networks_may_post() -> None:
    guarded = gate(networks=["192.0.2.0/24", "2001:db8::/32"])
    for address in ("192.0.2.7", "::ffff:192.0.2.7", "2001:db8::1"):
        assert status(guarded, peer=Peer(address)) == 200
    for other in ("192.0.3.7", "::1", None, "unix:", ""):
        assert status(guarded, peer=Peer(other)) == 403


def test_only_named_certificates_may_post() -> None:
    guarded = gate(client_names=["push.iot.example", "*.Nodes.iot.example"])
    for name in ("push.iot.example", "PUSH.iot.example", "n1.nodes.iot.example"):
        assert status(guarded, peer=Peer(None, (name,))) == 200
    for names in ((), ("iot.example",), ("push.iot.example.evil",)):
        assert status(guarded, peer=Peer(None, names)) == 403


def test_all_checks_have_to_pass() -> None:
    guarded = gate(client_names=["push"], networks=["192.0.2.0/24"])
    assert status(guarded, peer=Peer("192.0.2.1", ("push",))) == 200
    assert status(guarded, peer=Peer("192.0.2.1")) == 403
    assert status(guarded, peer=Peer("192.0.3.1", ("push",))) == 403


@pytest.mark.parametrize(
    "wrong", [{"networks": ["192.0.2.1/24"]}, {"networks": ["anywhere"]}, {"path_secret": "short"}]
)
def test_what_cannot_be_checked_against_is_refused(wrong: Any) -> None:
    with pytest.raises(InvalidArgumentError, match="Access"):
        Access(**wrong)


def test_names_are_read_from_a_certificate() -> None:
    certificate = {
        "subject": ((("organizationName", "Example"),), (("commonName", "push"),)),
        "subjectAltName": (("DNS", "push.iot.example"), ("IP Address", "192.0.2.1")),
    }
    assert Peer.of_certificate("192.0.2.9", certificate) == Peer("192.0.2.9", ("push", "push.iot.example"))
    assert Peer.of_certificate("192.0.2.9", None) == Peer("192.0.2.9")


@pytest.mark.parametrize(
    ("name", "names"),
    [
        ("CN=push,O=Example", ("push",)),
        ("O=Example+CN=push, cn=other", ("push", "other")),
        ("CN=x\\,CN=push", ("x\\,CN=push",)),
        ("O=x\\+CN=push,C=DE", ()),
        ("O=CN=push", ()),
        ('O="x,CN=push,y"', ()),
        ("", ()),
        (None, ()),
    ],
)
def test_names_are_read_from_a_subject_and_not_out_of_a_value(name: str, names: Any) -> None:
    assert Peer.of_name(None, name).certificate_names == names


def test_too_large_is_refused_by_its_length_alone() -> None:
    assert status(gate(), length=1001) == 413
    assert status(gate(), length=None) == 200


def test_receive_applies_it() -> None:
    with PushMessageReceiver(MemoryInbox(), access=Access(networks=["192.0.2.0/24"])) as receiver:
        assert receiver.receive(b"{}").status == 403
        assert receiver.receive(b"{}", peer=Peer("192.0.2.1")).status == 200


def test_a_wrong_path_is_logged_once_with_the_right_one(caplog: pytest.LogCaptureFixture) -> None:
    checker = gate()
    for _ in range(3):
        assert status(checker, "/v1.0.0/messagereceiver\n", mounted_at="/iot") == 404
    assert status(checker, "/other") == 404
    assert status(checker) == 200
    assert caplog.messages == [
        f"POST to '/v1.0.0/messagereceiver\\n' answered 404: this receiver serves /iot{ROUTE}",
        f"POST to '/other' answered 404: this receiver serves {ROUTE}",
    ]


def test_many_wrong_paths_fill_neither_log_nor_memory(caplog: pytest.LogCaptureFixture) -> None:
    checker = gate()
    for number in range(1000):
        assert status(checker, f"/{number}/" + "x" * 10_000) == 404
    assert len(caplog.messages) == 100
    assert max(map(len, caplog.messages)) < 400


def test_an_almost_right_path_secret_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    checker = gate(path_secret=SECRET)
    for path in (f"/{SECRET[:-1]}{ROUTE}", f"/{SECRET}x{ROUTE}", f"/{SECRET}/v1.0.0/wrong", ROUTE, None):
        assert status(checker, path) == 404
    assert caplog.messages == [f"POST to a path answered 404: this receiver serves /<path secret>{ROUTE}"]
