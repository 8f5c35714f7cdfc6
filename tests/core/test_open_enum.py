import copy
import json
import pickle

import pytest

from iot_northbound.core.open_enum import OpenEnum


class Colour(OpenEnum):
    RED = "RED"
    GREEN = "GREEN"


def test_known_values_are_the_members() -> None:
    assert Colour("RED") is Colour.RED
    assert Colour.RED.is_known
    assert Colour.RED == "RED"
    assert list(Colour) == [Colour.RED, Colour.GREEN]


def test_unknown_values_survive_without_becoming_members() -> None:
    blue = Colour("BLUE")
    assert isinstance(blue, Colour)
    assert blue == "BLUE"
    assert blue.value == blue.name == str(blue) == "BLUE"
    assert not blue.is_known
    assert list(Colour) == [Colour.RED, Colour.GREEN]
    assert "BLUE" not in Colour.__members__


def test_equal_unknown_values_are_one_key() -> None:
    assert Colour("BLUE") == Colour("BLUE")
    assert {Colour("BLUE"): 1, "RED": 2} == {"BLUE": 1, Colour.RED: 2}


@pytest.mark.parametrize("value", [Colour.RED, Colour("BLUE")])
def test_values_travel(value: Colour) -> None:
    assert json.loads(json.dumps({"c": value})) == {"c": str(value)}
    for copied in (pickle.loads(pickle.dumps(value)), copy.deepcopy(value), copy.copy(value)):
        assert copied == value
        assert isinstance(copied, Colour)
        assert copied.is_known is value.is_known
    assert pickle.loads(pickle.dumps(Colour.RED)) is Colour.RED


@pytest.mark.parametrize("value", ["red", "Red", " RED", "rED "])
def test_letter_case_and_blanks_do_not_count(value: str) -> None:
    assert Colour(value) is Colour.RED


class Outcome(OpenEnum):
    FAILED = "failed"
    SUCCESS = "Success"
    PENDING = "PENDING"
    TIMEOUT = "timeout"
    COMPLETE = "Complete"
    STOP = "stop"
    CANCELED = "CANCELED"
    PART_SUCCESS = "PART_SUCCESS"


class Both(OpenEnum):
    FAIL = "FAIL"
    FAILED = "FAILED"


@pytest.mark.parametrize(
    ("value", "means"),
    [
        ("FAIL", Outcome.FAILED),
        ("fail", Outcome.FAILED),
        ("SUCCESSFUL", Outcome.SUCCESS),
        ("PENDDING", Outcome.PENDING),
        ("failed", Outcome.FAILED),
        ("Failed", Outcome.FAILED),
        ("TIME_OUT", Outcome.TIMEOUT),
        ("Time-Out", Outcome.TIMEOUT),
        ("time out", Outcome.TIMEOUT),
        ("Completed", Outcome.COMPLETE),
        ("STOPPED", Outcome.STOP),
        ("CANCEL", Outcome.CANCELED),
        ("PARTIAL_SUCCESS", Outcome.PART_SUCCESS),
        ("partSuccess", Outcome.PART_SUCCESS),
    ],
)
def test_another_word_for_a_member_is_kept_and_says_what_it_stands_for(value: str, means: Outcome) -> None:
    assert Outcome(value).canonical is means
    assert Outcome(value) == (value if value.lower() != "failed" else "failed")


def test_an_enumeration_that_has_both_words_keeps_them_apart() -> None:
    assert Both("fail").canonical is Both.FAIL
    assert Both("Failed").canonical is Both.FAILED


def test_an_unknown_value_stands_for_itself() -> None:
    assert Colour("BLUE").canonical == "BLUE"
    assert not Colour("BLUE").canonical.is_known


@pytest.mark.parametrize("value", [None, 3, ["RED"]])
def test_other_types_are_refused(value: object) -> None:
    with pytest.raises(ValueError, match="not a valid Colour"):
        Colour(value)
