"""Redirects are told with their host and what to do, and never followed."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.faults import READ, WRITE, call
from tests.faulty_server import Desk, Seen, Wire

from iot_northbound import NorthApiException
from iot_northbound.core.redirects import REDIRECTS, explain_redirect

SECRET_PART = "session-9f2c77"


@pytest.mark.parametrize("status", sorted(REDIRECTS))
@pytest.mark.parametrize("endpoint", [READ, WRITE], ids=["GET", "POST"])
def test_a_redirect_is_told_and_not_followed(serve: Any, connect: Any, status: int, endpoint: Any) -> None:
    other = serve(lambda seen, wire: (200, {}))
    target = f"https://user:{SECRET_PART}@localhost:{other.port}/login?{SECRET_PART}#{SECRET_PART}"
    server = serve(lambda seen, wire: (status, b"<html>moved</html>", {"Location": target}))
    with pytest.raises(NorthApiException) as caught:
        call(connect(server), endpoint)
    error = caught.value
    assert f"redirects to https://localhost:{other.port}. " in error.error_desc
    assert "platform_ip and platform_port" in error.error_desc
    assert SECRET_PART not in f"{error}{error!r}"
    assert (error.http_status_code, error.attempts, error.outcome_unknown) == (status, 1, False)
    assert len(server.seen) == 1
    assert not other.seen


def test_a_redirected_login_sends_its_secret_nowhere_else(serve: Any, connect: Any) -> None:
    def redirect(seen: Seen, wire: Wire) -> Any:
        return 307, None, {"Location": f"https://localhost:{other.port}/"}

    other = serve(lambda seen, wire: (200, {}))
    desk = Desk(lambda seen, wire: (200, {}))
    desk.before_login = redirect
    with pytest.raises(NorthApiException, match="redirects to https://localhost"):
        connect(serve(desk)).start_timer()
    assert not other.seen


@pytest.mark.parametrize(
    ("location", "place"),
    [
        ("https://portal.example/iocm", "https://portal.example"),
        ("http://portal.example:8080", "http://portal.example:8080"),
        ("HTTPS://Portal.Example/", "https://portal.example"),
        ("//portal.example/x", "https://portal.example"),
        ("https://[2001:db8::1]:8743/x", "https://[2001:db8::1]:8743"),
        ("/login", "another path of the same server"),
        ("login", "another path of the same server"),
        ("", "an address that it does not name"),
        (None, "an address that it does not name"),
        ("https://a b/", "an address that cannot be read"),
        ("https://[broken", "an address that cannot be read"),
        ("https://host:port/", "an address that cannot be read"),
        ("javascript://x/", "an address that cannot be read"),
        (f"https://{'x' * 300}/", "an address that cannot be read"),
        ("https://p%C3%B6rtal\x1b[31m/", "an address that cannot be read"),
    ],
)
def test_only_the_host_of_the_target_is_shown(location: str | None, place: str) -> None:
    told = explain_redirect(302, {} if location is None else {"Location": location})
    assert told is not None
    assert told.startswith(f"the server redirects to {place}. ")


@pytest.mark.parametrize("status", [200, 300, 304, 305, 400, 502])
def test_other_answers_do_not_redirect(status: int) -> None:
    assert explain_redirect(status, {"Location": "https://portal.example"}) is None


def test_the_platforms_own_error_on_a_redirect_wins(serve: Any, connect: Any) -> None:
    body = {"error_code": "100403", "error_desc": "no such device"}
    with pytest.raises(NorthApiException) as caught:
        call(connect(serve(lambda seen, wire: (302, body, {"Location": "https://portal.example"}))))
    assert caught.value.error_code == "100403"


@given(st.text())
def test_no_target_breaks_the_words_or_gets_more_than_a_line_of_them(location: str) -> None:
    told = explain_redirect(302, {"Location": location})
    assert told is not None
    assert told.isprintable()
    assert len(told) < 700
