"""Which requests come from a web page: what the control plane and the receiver refuse.

A page that is open in a browser can send requests to this machine and to its network. It cannot choose what the
browser says about it: `Origin` names the page's server, `Sec-Fetch-Site` says how far that is from the one asked.
Programs send neither.
"""

from __future__ import annotations

from collections.abc import Iterable

_NO_PAGE, _OWN_PAGE = "none", "same-origin"
"""What browsers say of an address that a person typed in, and of a page of the very same server."""


def page_header(headers: Iterable[tuple[str, str]], *, own_origin: str | None = None) -> str | None:
    """Return the header that shows a request of a foreign web page; None if there is none.

    Args:
        headers: Names in lower case, with values.
        own_origin: The origin whose pages may call; None if there are no such pages.
    """
    for name, value in headers:
        text = value.strip().lower()
        if name == "origin" and (own_origin is None or text != own_origin.lower()):
            return "Origin"  # "null" too, which sandboxed pages and local files send
        if name == "sec-fetch-site" and text != _NO_PAGE and (own_origin is None or text != _OWN_PAGE):
            return "Sec-Fetch-Site"
    return None
