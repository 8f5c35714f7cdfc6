"""The making of a HubClient and its end, and what it shows of its token."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

import pytest

from iot_northbound import ClientClosedError, InvalidArgumentError, NorthApiException, NotAuthorizedError
from iot_northbound.core.retry import Backoff
from iot_northbound.device.hub import HubClient, ServerMessage, ServerStatus
from tests.clock import FakeClock, eventually
from tests.device.hub.parts import METER, TOKEN, Server


def test_close_ends_a_post_that_waits(server: Server, connect: Callable[..., HubClient], clock: FakeClock) -> None:
    server.steps = [ServerMessage(ServerStatus.ERR)]
    hub = connect(clock=clock, backoff=Backoff(1_000.0, 1_000.0, lambda: 1.0))
    caught: list[NorthApiException] = []

    def post() -> None:
        with pytest.raises(ClientClosedError) as error:
            hub.post(METER)
        caught.append(error.value)

    thread = threading.Thread(target=post)
    thread.start()
    eventually(lambda: clock.waits)
    hub.close()
    thread.join(20)
    assert caught
    with pytest.raises(ClientClosedError):
        hub.post(METER)


def test_the_token_is_shown_nowhere(
    server: Server, connect: Callable[..., HubClient], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG), connect() as hub:
        hub.post(METER)
        server.steps = [ServerMessage(ServerStatus.UNAUTHORIZED)]
        with pytest.raises(NotAuthorizedError) as caught:
            hub.post(METER)
    shown = f"{hub!r}{caught.value}{caught.value!r}{caught.value.__cause__}{caplog.text}"
    assert "hub-1" in shown
    assert TOKEN not in shown


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"hub_id": ""}, "not empty"),
        ({"hub_id": "a\x00"}, "XML has no character"),
        ({"token": ""}, "printable ASCII"),
        ({"token": 'a"b'}, "printable ASCII"),
        ({"token": "a\r\nb"}, "printable ASCII"),
        ({"url": "http://127.0.0.1"}, "https://host:port"),
        ({"url": "127.0.0.1:80"}, "https://host:port"),
        ({"url": "https://h:65536"}, "port must be a whole number from 1 to 65535"),
        ({"url": "https://h:x"}, "port must be"),
        ({"url": "https://h:0"}, "port must be"),
        ({"url": "https://[::1"}, "https://host:port"),
        ({"url": 80}, "https://host:port"),
        ({"hub_id": 3}, "hub_id"),
        ({"token": None}, "token"),
        ({"keep": "x"}, "keep"),
        ({"url": "https://me:pw-81@127.0.0.1"}, "no user"),
        ({"attempts": 0}, "whole number from 1"),
        ({"keep": 0}, "whole number from 1"),
    ],
)
def test_arguments_that_cannot_be_used_are_refused(wrong: dict[str, Any], why: str) -> None:
    given = {"hub_id": "hub-1", "token": TOKEN, "url": "https://127.0.0.1", **wrong}
    with pytest.raises(InvalidArgumentError, match=why) as caught:
        HubClient(**given)
    assert "pw-81" not in str(caught.value)
    assert 'a"b' not in str(caught.value)
