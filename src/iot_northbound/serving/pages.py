"""Which requests come from a web page: the control plane and the receiver refuse them.

A page that is open in a browser can send requests to this machine and to its network. It cannot choose what the
browser says about it: `Origin` names the page's server, and `Sec-Fetch-Site` says how that server is related to the
one that is asked. Programs send neither.
"""

from __future__ import annotations

from collections.abc import Iterable

_NO_PAGE, _OWN_PAGE = "none", "same-origin"
"""What browsers send for an address that a person typed in, and for a page of the same server."""


def page_header(headers: Iterable[tuple[str, str]], *, own_origin: str | None = None) -> str | None:
    """Return the header that shows that a foreign web page sent the request; None if it has no such header.

    Args:
        headers: Names in lower case, with values.
        own_origin: The origin whose pages may call; None if no pages may.
    """
    for name, value in headers:
        text = value.strip().lower()
        if name == "origin" and (own_origin is None or text != own_origin.lower()):
            return "Origin"  # also for "null", which sandboxed pages and local files send
        if name == "sec-fetch-site" and text != _NO_PAGE and (own_origin is None or text != _OWN_PAGE):
            return "Sec-Fetch-Site"
    return None
