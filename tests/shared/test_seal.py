"""A sealed record opens with the same secret for the same application, and says nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iot_northbound import SharedStateError
from iot_northbound.shared.seal import Seal

SEAL = Seal("platform.example:8743/app", "invented-secret")
RECORD = SEAL.close(b"content")


def test_what_is_closed_can_be_opened() -> None:
    assert Seal("platform.example:8743/app", "invented-secret").open(RECORD) == b"content"
    assert b"content" not in RECORD
    assert SEAL.close(b"content") != RECORD


@pytest.mark.parametrize(
    "other", [Seal("platform.example:8743/app", "other"), Seal("platform.example:8743/app2", "invented-secret")]
)
def test_another_secret_or_application_does_not_open_it(other: Seal) -> None:
    assert other.open(RECORD) is None
    assert other.name != SEAL.name


def test_a_newer_version_is_named() -> None:
    with pytest.raises(SharedStateError, match="newer version"):
        SEAL.open(b"\x02" + RECORD[1:])


@given(st.integers(0, len(RECORD) - 1), st.integers(1, 255))
def test_one_changed_byte_is_noticed(place: int, change: int) -> None:
    changed = bytearray(RECORD)
    changed[place] ^= change
    try:
        assert SEAL.open(bytes(changed)) is None
    except SharedStateError:
        assert place == 0


@given(st.binary(max_size=40))
def test_garbage_does_not_open(record: bytes) -> None:
    try:
        assert SEAL.open(record) is None
    except SharedStateError:
        assert record[0] > 1
