"""Enumerations that stay open: a value the reference does not know is kept, not refused."""

from enum import StrEnum
from typing import Self


class OpenEnum(StrEnum):
    """A text enumeration whose unknown values survive: ``Status("NEW")`` is a member-like ``Status`` equal to "NEW"."""

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        if not isinstance(value, str):
            return None
        member = str.__new__(cls, value)
        member._name_ = value
        member._value_ = value
        return member

    @property
    def is_known(self) -> bool:
        """Whether the reference documents this value."""
        return self._value_ in type(self)._value2member_map_

    def __reduce_ex__(self, protocol: object) -> tuple[type[Self], tuple[str]]:
        return type(self), (str(self._value_),)

    __hash__ = str.__hash__
