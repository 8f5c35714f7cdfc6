"""What all DTOs that the platform sends have in common: nothing that it said is lost."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import attrs

from iot_northbound.core.redact import redact

_NOTHING: Mapping[str, Any] = MappingProxyType({})


class UnknownFields(dict[str, Any]):
    """The fields of an answer that no attribute holds; a dict whose repr masks secrets."""

    __slots__ = ()

    def __repr__(self) -> str:
        return redact(super().__repr__())


class Received:
    """A DTO that the platform sends."""

    __slots__ = ("_unknown",)  # set only if there is something to hold
    _unknown: UnknownFields

    @property
    def unknown_fields(self) -> Mapping[str, Any]:
        """What the platform said here that no attribute holds, by its names on the wire; mostly empty.

        That is each field that the SDK does not know, and each value that does not fit its attribute, which is None
        then (for a list: without the items that do not fit). The values are as the platform sent them, secrets too.

        Copies and pickles keep them. They do not count when DTOs are compared, and a DTO that `attrs.evolve` or the
        application makes has none.
        """
        try:
            return self._unknown
        except AttributeError:
            return _NOTHING

    # Not what attrs would make: that leaves `_unknown` out. Nor Python's own: that would check a request's rules.
    def __getstate__(self) -> dict[str, Any]:
        cls: Any = type(self)
        names = [*(attribute.name for attribute in attrs.fields(cls)), "_unknown"]
        return {name: getattr(self, name) for name in names if hasattr(self, name)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            object.__setattr__(self, name, value)
