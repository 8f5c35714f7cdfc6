from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iot_northbound.core.times import Timestamp, format_time, is_platform_time, parse_time


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("20260212T121314Z", datetime(2026, 2, 12, 12, 13, 14, tzinfo=UTC)),
        ("20240219T080517150Z", datetime(2024, 2, 19, 8, 5, 17, 150000, tzinfo=UTC)),
        ("20240229T235959999Z", datetime(2024, 2, 29, 23, 59, 59, 999000, tzinfo=UTC)),
        ("20240219T080517007Z", datetime(2024, 2, 19, 8, 5, 17, 7000, tzinfo=UTC)),
    ],
)
def test_both_forms_are_read_and_written(text: str, moment: datetime) -> None:
    assert parse_time(text) == moment
    assert Timestamp(text).datetime == moment
    assert format_time(moment) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-02-12T12:13:14Z",
        "20260212T121314",
        "20260212T121314+0000",
        "20260212T1213141Z",
        "20260230T121314Z",
        "20260212T251314Z",
        "20260212t121314z",
        "20260212T121314Z\n",
        "２０２６0212T121314Z",
    ],
)
def test_other_forms_are_refused(text: str) -> None:
    assert not is_platform_time(text)
    with pytest.raises(ValueError, match=r"platform time|month|day|hour"):
        parse_time(text)


def test_other_zones_become_utc() -> None:
    assert format_time(datetime(2026, 2, 12, 1, 0, tzinfo=timezone(timedelta(hours=8)))) == "20260211T170000Z"


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        format_time(datetime(2026, 2, 12))


def test_a_timestamp_stays_the_text_it_came_as() -> None:
    odd = Timestamp("yesterday")
    assert odd == "yesterday"
    with pytest.raises(ValueError, match="yesterday"):
        odd.datetime  # noqa: B018


@given(st.datetimes(min_value=datetime(1000, 1, 1), timezones=st.just(UTC)))
def test_what_is_written_is_read_to_the_millisecond(moment: datetime) -> None:
    exact = moment.replace(microsecond=moment.microsecond // 1000 * 1000)
    assert parse_time(format_time(moment)) == exact


@given(st.text(max_size=25))
def test_any_text_is_told_apart_without_accident(text: str) -> None:
    if is_platform_time(text):
        assert parse_time(text).tzinfo is UTC
