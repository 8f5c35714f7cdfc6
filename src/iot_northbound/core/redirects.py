"""A redirect in words: where it leads, and what to do. The SDK follows no redirect."""

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

REDIRECTS = frozenset({301, 302, 303, 307, 308})
_HOST = re.compile(r"[A-Za-z0-9._-]{1,253}|[0-9A-Fa-f:.]{2,45}")
"""The part of a redirect that may be shown: a name or an address."""


def explain_redirect(status: int, headers: Mapping[str, str]) -> str | None:
    """Return what a redirecting answer means; None if the answer does not redirect.

    Only scheme, host and port of the target are shown, because the rest may contain a session or a password.
    """
    if status not in REDIRECTS:
        return None
    return (
        f"the server redirects to {_place(headers.get('Location'))}. The SDK follows no redirect: it would send the "
        "token or the secret to an address that is not checked. Probably a web portal or a load balancer answers "
        "there. Set platform_ip and platform_port to the address of the northbound API itself (port 8743 by default)"
    )


def _place(location: str | None) -> str:
    try:
        parts = urlsplit((location or "").strip())
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return "an address that cannot be read"
    if not host:
        return "another path of the same server" if parts.path else "an address that it does not name"
    if parts.scheme not in ("http", "https", "") or not _HOST.fullmatch(host):
        return "an address that cannot be read"
    shown = f"[{host}]" if ":" in host else host
    return f"{parts.scheme or 'https'}://{shown}{f':{port}' if port else ''}"
