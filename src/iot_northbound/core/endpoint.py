"""An endpoint of the northbound API, as a value."""

import re
from collections.abc import Mapping
from functools import cached_property
from typing import Any, Generic, TypeVar
from urllib.parse import quote

import attrs

from iot_northbound.core.fields import check_id
from iot_northbound.errors import InvalidArgumentError

T = TypeVar("T")


@attrs.define(frozen=True, eq=False, slots=False)
class Endpoint(Generic[T]):
    """Method, path template, result type and retry rule of one documented call."""

    method: str
    path: str
    """Path template with places in snake_case: ``/iocm/app/dm/v1.4.0/devices/{device_id}``."""
    result: type[T]
    """The DTO of the answer; ``type(None)`` for a call that returns nothing."""
    takes: type | None = attrs.field(default=None, kw_only=True)
    """The request DTO; None if the call takes only ids and single values."""
    section: str = attrs.field(kw_only=True)
    """The section in the REST chapter of the reference."""
    success: int = attrs.field(default=200, kw_only=True)
    """The documented success status (any 2xx is accepted)."""
    repeatable: bool = attrs.field(kw_only=True)
    """Whether the call may be sent again if it is not known whether the first one arrived."""
    authorized: bool = attrs.field(default=True, kw_only=True)
    """Whether the call needs a token (login and refresh do not)."""
    form: bool = attrs.field(default=False, kw_only=True)
    """Whether the body is sent as a form instead of JSON (only login)."""
    may_be_empty: bool = attrs.field(default=False, kw_only=True)
    """Whether some platforms send a success without a body; the result then has no values."""

    @repeatable.default
    def _reads_only(self) -> bool:
        return self.method == "GET"

    @cached_property
    def name(self) -> str:
        """The low-cardinality name for logs, metrics and errors."""
        return f"{self.method} {self.path}"

    @cached_property
    def places(self) -> tuple[str, ...]:
        """The names of the path's places."""
        return tuple(re.findall(r"{(\w+)}", self.path))

    def url(self, values: Mapping[str, Any]) -> str:
        """Return the path with its places filled in, percent-encoded.

        Raises:
            InvalidArgumentError: an id is empty or not text (1007).
        """
        if not values:
            return self.path
        return self.path.format_map({name: _in_path(name, value) for name, value in values.items()})


def _in_path(name: str, value: Any) -> str:
    try:
        return quote(check_id(name, value), safe="")
    except UnicodeEncodeError:
        raise InvalidArgumentError.of(name, ascii(value), "it is not valid Unicode text") from None
