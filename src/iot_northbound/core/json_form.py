"""The base of all DTOs: as data for JSON, and from JSON, with the platform's names."""

from collections.abc import Mapping
from typing import Any, Self

from iot_northbound.core.wire import from_data, to_data


class JsonForm:
    """A DTO that can be stored as JSON and read again."""

    __slots__ = ()

    def to_json(self) -> dict[str, Any]:
        """Return the fields that have a value, with the platform's names, as data for `json.dumps`.

        Times and enumerations are text. Fields of an answer that the SDK does not know are there too. Secrets are not
        hidden: this is the data itself, so do not log it.
        """
        return to_data(self)

    @classmethod
    def from_json(cls, source: str | bytes | bytearray | Mapping[str, Any]) -> Self:
        """Return a DTO from a JSON object with the platform's names: as text, as UTF-8, or parsed.

        A request must keep its rules, and an unknown name in it is refused. An answer or a notification is read as it
        is when the platform sends it: what the SDK does not know is in `unknown_fields`.

        Raises:
            InvalidArgumentError: it is not a JSON object, or does not fit this class (1007).
        """
        return from_data(cls, source)
