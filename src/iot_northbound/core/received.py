"""The base of all DTOs that the platform sends: they keep unknown fields."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import attrs

from iot_northbound.core.redact import redact

_NOTHING: Mapping[str, Any] = MappingProxyType({})


class UnknownFields(dict[str, Any]):
    """The fields of an answer that have no attribute; a dict whose repr hides secrets."""

    __slots__ = ()

    def __repr__(self) -> str:
        return redact(super().__repr__())


class Received:
    """A DTO that the platform sends."""

    __slots__ = ("_unknown",)  # set only if there are unknown fields
    _unknown: UnknownFields

    @property
    def unknown_fields(self) -> Mapping[str, Any]:
        """What the platform sent and no attribute has, by the names in the JSON. In most cases it is empty.

        It contains each field that the SDK does not know, and each value that does not fit its attribute, which is None
        in this case (for a list: without the items that do not fit). The values are as the platform sent them,
        including secrets.

        Copies and pickles keep them. They do not count when DTOs are compared. A DTO that `attrs.evolve` or the
        application makes has no unknown fields.
        """
        try:
            return self._unknown
        except AttributeError:
            return _NOTHING

    # attrs' own functions would leave `_unknown` out, and Python's would check a request's rules.
    def __getstate__(self) -> dict[str, Any]:
        cls: Any = type(self)
        names = [*(attribute.name for attribute in attrs.fields(cls)), "_unknown"]
        return {name: getattr(self, name) for name in names if hasattr(self, name)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            object.__setattr__(self, name, value)
