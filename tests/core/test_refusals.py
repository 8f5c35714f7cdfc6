"""A refused token that the endpoint accepted before has ended; whatever others noted, the endpoint is not forbidden."""

from tests.clock import FakeClock

from iot_northbound.core.refusals import OwnNotes, Refusals


def test_an_ended_token_is_replaced_although_another_process_noted_the_endpoint() -> None:
    notes = OwnNotes(FakeClock())
    mine, others = Refusals(notes), Refusals(notes)
    for token in ("old", "new"):
        mine.accepted("GET /a", token)
    others.note("GET /a", "new")  # on a slow machine, the next token ended it before its call arrived
    assert not mine.is_forbidden("GET /a", "old")  # still under way when the new one came
    assert not mine.is_forbidden("GET /a", "new")
    assert mine.is_forbidden("GET /a", "newest")
    assert mine.is_forbidden("GET /b", "new") is False
