"""What the control port refuses before it looks at a request: what a foreign web page in a browser could send."""

from __future__ import annotations

import re
from collections.abc import Sequence

from iot_northbound.serving.pages import page_header

_LOCAL = re.compile(r"(localhost|127\.0\.0\.1|\[::1\])(:\d+)?", re.IGNORECASE)

Headers = Sequence[tuple[str, str]]


def headers_of(scope_headers: Sequence[tuple[bytes, bytes]]) -> list[tuple[str, str]]:
    """Return the headers of an ASGI scope as text; their names are in lower case."""
    return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope_headers]


def foreign(headers: Headers) -> str | None:
    """Return why a request is refused that a page of another server could have sent; None if none could."""
    hosts = [value for name, value in headers if name == "host"]
    # A page may have a host name of its own that leads to this machine, but it cannot choose the Host header.
    strange = [each for each in hosts if not _LOCAL.fullmatch(each)]
    if strange or len(hosts) != 1:
        named = f"as {strange[0]!r}" if strange else f"with {len(hosts)} Host headers"
        return f"call the control plane as localhost or 127.0.0.1, not {named}"
    if shown := page_header(headers, own_origin=f"http://{hosts[0]}"):
        return f"web pages may not call the control plane: leave out the header {shown}, or call from a program"
    return None


def content_types(headers: Headers) -> set[str]:
    """Return the content types that a request names, without their parameters."""
    return {value.partition(";")[0].strip().lower() for name, value in headers if name == "content-type"}
