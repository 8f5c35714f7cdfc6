"""Open enumerations: a value that the reference does not know is kept, not refused."""

from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from typing import Self

SYNONYMS = (
    ("success", "successful"),
    ("fail", "failed"),
    ("canceled", "cancelled", "cancel"),
    ("complete", "completed"),
    ("stop", "stopped"),
    ("expired", "expire"),
    ("part_success", "partial_success"),
    ("pending", "pendding"),
    ("waiting", "waitting"),
)
"""Words that platforms and the reference's own samples use with the same meaning, in lower case."""


class OpenEnum(StrEnum):
    """A text enumeration that keeps unknown values: ``Status("NEW")`` is a member-like ``Status`` equal to "NEW".

    Upper and lower case make no difference: ``Status("online")`` is ``Status.ONLINE``.
    """

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        if not isinstance(value, str):
            return None
        known = _members(cls).get(_plain(value))
        if known is not None:
            return cls(known)
        member = str.__new__(cls, value)
        member._name_ = value
        member._value_ = value
        return member

    @property
    def is_known(self) -> bool:
        """Whether the reference documents this value."""
        return self._value_ in type(self)._value2member_map_

    @property
    def canonical(self) -> Self:
        """The documented value with the same meaning, for example ``failed`` for FAIL; otherwise this value itself."""
        members = _members_by_word(type(self))
        word = word_of(self._value_)
        same = next((words for words in _SAME if word in words), ())
        return next((type(self)(members[each]) for each in (word, *same) if each in members), self)

    def __reduce_ex__(self, protocol: object) -> tuple[type[Self], tuple[str]]:
        return type(self), (str(self._value_),)

    __hash__ = str.__hash__


def _plain(value: str) -> str:
    return value.strip().casefold()


def word_of(value: str) -> str:
    """Return a value in lower case, without separators: TIME_OUT, Time-out and timeout are the same."""
    return _plain(value).replace("_", "").replace("-", "").replace(" ", "")


_SAME = tuple(tuple(map(word_of, words)) for words in SYNONYMS)


@cache
def _members_by_word(cls: type[OpenEnum]) -> Mapping[str, str]:
    return {word_of(member.value): member.value for member in cls}


@cache
def _members(cls: type[OpenEnum]) -> Mapping[str, str]:
    """Return the values of an enumeration's members by their words in lower case."""
    return {_plain(member.value): member.value for member in cls}
