from __future__ import annotations

import pytest

from iot_northbound.emulator.journal import Journal, public_url, redacted


def test_the_ring_keeps_the_newest_entries_and_goes_on_counting() -> None:
    journal = Journal(capacity=3)
    for number in range(5):
        journal.note({"kind": "call", "n": number})
    assert [(entry["seq"], entry["n"]) for entry in journal] == [(3, 2), (4, 3), (5, 4)]
    journal.clear()
    journal.note({"kind": "call", "n": 5})
    assert [entry["seq"] for entry in journal] == [6]


def test_entries_are_found_by_kind_endpoint_and_position() -> None:
    journal = Journal()
    journal.note({"kind": "call", "endpoint": "GET /a/{id}"})
    journal.note({"kind": "push"})
    journal.note({"kind": "call", "endpoint": "PUT /a/{id}"})
    journal.note({"kind": "call", "endpoint": None})

    def found(**wanted: object) -> list[int]:
        return [entry["seq"] for entry in journal.entries(**wanted)]  # type: ignore[arg-type]

    assert found(kind="push") == [2]
    assert found(endpoint="GET /a/{id}") == [1]
    assert found(endpoint="/a/{id}") == [1, 3]
    assert found(endpoint="PUT *") == [3]
    assert found(endpoint="*") == [1, 3, 4]
    assert found(since=2) == [3, 4]
    assert found(limit=2) == [3, 4]


def test_secrets_are_starred_at_any_depth_and_the_original_does_not_change() -> None:
    told = {
        "secret": "a",
        "psk": None,
        "list": [{"verifyCode": "b", "accessToken": "c", "name": "d"}],
        "deep": {"AUTHORIZATION": "e", "password": {"even": "objects"}},
    }
    assert redacted(told) == {
        "secret": "***",
        "psk": None,
        "list": [{"verifyCode": "***", "accessToken": "***", "name": "d"}],
        "deep": {"AUTHORIZATION": "***", "password": "***"},
    }
    assert told["secret"] == "a"


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("https://host:1/a/b", "https://host:1/a/b"),
        ("https://me:word@host/a?key=abc&x=1", "https://host/a?key=***&x=***"),
        ("http://host", "http://host"),
        ("http://host/?", "http://host/?"),
        ("no url", "no url"),
    ],
)
def test_urls_are_noted_without_users_and_query_values(url: str, told: str) -> None:
    assert public_url(url) == told


def test_a_url_in_a_body_has_no_secrets() -> None:
    body = {"callbackUrl": "https://user:pass@na.example/push?sig=1", "nested": [{"url": "http://a@b/"}], "note": "a@b"}
    assert redacted(body) == {
        "callbackUrl": "https://na.example/push?sig=***",
        "nested": [{"url": "http://b/"}],
        "note": "a@b",
    }


def test_the_whole_journal_is_all_of_it_or_an_error_that_says_what_is_gone() -> None:
    journal = Journal(capacity=3)
    for number in range(3):
        journal.note({"kind": "push", "number": number})
    assert len(journal.entries()) == 3
    journal.note({"kind": "push", "number": 3})
    with pytest.raises(ValueError, match="the journal keeps 3 entries, and those up to seq 1 are gone"):
        journal.entries()
    assert [entry["number"] for entry in journal.entries(since=1)] == [1, 2, 3]
    assert [entry["number"] for entry in journal.entries(limit=2)] == [2, 3]
    journal.clear()
    assert journal.entries() == []
