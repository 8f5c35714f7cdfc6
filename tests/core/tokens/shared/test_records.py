"""What is stored: no token and no secret, and records that this process cannot read."""

from pathlib import Path
from typing import Any

import pytest
from tests.core.tokens.rig import Platform
from tests.core.tokens.shared.rig import LIFE, SECRET, started

from iot_northbound import SharedStateError
from iot_northbound.tokens import TokenState


def test_the_file_has_no_token_and_no_secret(new: Any, platform: Platform, tmp_path: Path) -> None:
    platform.with_refresh = True
    started(new).tokens.current()
    content = b"".join(each.read_bytes() for each in tmp_path.iterdir())
    assert b"app" in content
    for secret in (b"token-1", b"refresh-1", SECRET.encode()):
        assert secret not in content


def test_a_record_that_cannot_be_opened_is_replaced_and_named_once(
    new: Any, platform: Platform, caplog: pytest.LogCaptureFixture
) -> None:
    other = started(new, secret="another-secret")
    other.tokens.current()
    one = started(new)
    assert one.tokens.status().state is TokenState.NONE
    assert one.tokens.current() == "token-2"
    assert one.state.status().gen == 2
    warnings = [each.getMessage() for each in caplog.records if "cannot be opened" in each.getMessage()]
    assert len(warnings) == 1
    assert "another secret" in warnings[0]


def test_a_record_of_a_newer_version_is_left_alone(new: Any, platform: Platform) -> None:
    one = started(new)
    one.state.save(0, b"\x09future", LIFE, one.state.time())
    with pytest.raises(SharedStateError, match="a newer version of the SDK wrote the shared token: update this one"):
        one.tokens.current()
    assert platform.logins == []
    assert one.state.read().record == b"\x09future"
