"""The URL of a shared state: read, checked, and shown without user and password."""

import math
import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

import attrs

from iot_northbound._hide import hide
from iot_northbound.errors import InvalidArgumentError

LEASE, SHORTEST_LEASE, LONGEST_LEASE = 5.0, 0.5, 60.0
"""Seconds that a renewer's lease lasts by default, at least and at most."""
ONE_REDIS = (
    "it must name one server, such as redis://cache.example:6379; with Sentinel, a name that leads to the master"
)
FORMS = "file:/path, redis://host, rediss://host, valkey://host or postgresql://host/database"

_ENGINES = {
    "file": "file",
    "redis": "redis",
    "rediss": "redis",
    "valkey": "redis",
    "valkeys": "redis",
    "postgresql": "postgresql",
    "postgres": "postgresql",
}
_SCHEMES = {"valkey": "redis", "valkeys": "rediss", "postgres": "postgresql"}
"""Other names of a scheme. The engines' libraries get the first ones."""
_OPTIONS: Mapping[str, frozenset[str]] = {
    "file": frozenset({"lease"}),
    "redis": frozenset({"lease", "ca", "cert", "key"}),
    "postgresql": frozenset({"lease", "schema"}),
}
"""The options that are ours. All others of PostgreSQL go on to its library; the other engines have no others."""


@attrs.frozen
class StateUrl:
    """A URL that was read.

    Attributes:
        engine: "file", "redis" or "postgresql".
        target: the URL for the engine's library, with its password and without our options. For a file: its path.
        shown: the whole URL without user and password, for logs and errors.
        lease: seconds that a renewer's lease lasts.
        options: our other options: ca, cert, key, schema.
    """

    engine: str
    target: str = attrs.field(repr=hide)
    shown: str
    lease: float = LEASE
    options: Mapping[str, str] = attrs.field(factory=dict)


def absolute(url: str, folder: Path, of_a_file: str = "file") -> str:
    """Return a URL whose relative path, if it has one, begins at this folder; the scheme says if it is of a file."""
    scheme, _, path = url.partition(":")
    if scheme.lower() != of_a_file or path.startswith(("/", "~", "%")) or not path:
        return url
    return f"{of_a_file}:{quote(str(folder.absolute()))}/{path}"


def read_url(url: str) -> StateUrl:
    """Return the parts of a URL. A relative path begins at the working folder.

    Raises:
        InvalidArgumentError: it is no such URL (1007). The text never contains user and password.
    """
    if not isinstance(url, str):
        raise InvalidArgumentError.of("shared", type(url).__name__, f"it must be text: {FORMS}")
    no_host = f"it is not a URL with a valid host and port: {FORMS}"
    try:
        parts = urlsplit(url)
    except ValueError:
        raise InvalidArgumentError.of("shared", "***", no_host) from None
    engine = _ENGINES.get(parts.scheme)
    if engine is None:
        shown = f"{parts.scheme}:…" if parts.scheme else "text without a scheme"
        rule = ONE_REDIS if parts.scheme.startswith(("redis", "valkey")) else f"it must begin as {FORMS}"
        raise InvalidArgumentError.of("shared", shown, rule)
    pairs = dict(parse_qsl(parts.query, keep_blank_values=True))
    own = {key: pairs.pop(key) for key in sorted(_OPTIONS[engine] & pairs.keys())}
    if engine == "file":
        return _file(parts.netloc, parts.path, parts.fragment, pairs, own)
    hosts = parts.netloc.rpartition("@")[2].lower()
    if not all(map(_is_host, hosts.split(","))) or "@" in parts.path:  # a / in a password ends the host
        raise InvalidArgumentError.of("shared", "***", no_host)
    shown = f"{parts.scheme}://{hosts}{parts.path}"
    _check_options(shown, engine, {} if engine == "postgresql" else pairs)
    if "," in hosts and engine == "redis":
        raise InvalidArgumentError.of("shared", shown, ONE_REDIS)
    if engine == "redis" and not hosts.partition(":")[0]:
        raise InvalidArgumentError.of("shared", shown, "the host is missing, such as redis://cache.example:6379/0")
    if engine == "redis" and not re.fullmatch(r"/?[0-9]*", parts.path):
        rule = "what follows the host must be the number of a database, such as redis://cache.example:6379/0"
        raise InvalidArgumentError.of("shared", shown, rule)
    if parts.fragment:
        rule = "it contains a #: in a user name or a password, write it as %23"
        raise InvalidArgumentError.of("shared", shown, rule)
    scheme = _SCHEMES.get(parts.scheme, parts.scheme)
    target = f"{scheme}://{parts.netloc}{parts.path}{f'?{urlencode(pairs)}' if pairs else ''}"
    return StateUrl(engine, target, shown, _lease(shown, own.pop("lease", None)), own)


def _is_host(text: str) -> bool:
    """Whether it can be a host and a port. PostgreSQL's library takes several of them."""
    found = re.fullmatch(r"(?:\[[0-9a-f:.%]+\]|[^\[\]:@]*)(?::([0-9]{0,5}))?", text)
    return found is not None and int(found[1] or 0) < 1 << 16


def _file(host: str, path: str, fragment: str, others: Mapping[str, str], own: Mapping[str, str]) -> StateUrl:
    text = unquote(path)
    if host not in ("", "localhost") or not text or "\0" in text or text.endswith("/"):
        rule = "it must name a file of this machine, such as file:/var/lib/na/shared.sqlite3"
        raise InvalidArgumentError.of("shared", "file:…", rule)
    if fragment:
        raise InvalidArgumentError.of("shared", f"file:{text}", "it contains a #: in a file's name, write it as %23")
    try:
        file = Path(text).expanduser().absolute()
    except RuntimeError:
        raise InvalidArgumentError.of("shared", f"file:{text}", "this user has no home folder: write it out") from None
    shown = f"file:{file}"
    _check_options(shown, "file", others)
    return StateUrl("file", str(file), shown, _lease(shown, own.get("lease")))


def _check_options(shown: str, engine: str, others: Mapping[str, str]) -> None:
    if others:
        known = ", ".join(sorted(_OPTIONS[engine]))
        raise InvalidArgumentError.of("shared", shown, f"there is no option {min(others)!r}; the options are {known}")


def _lease(shown: str, text: str | None) -> float:
    if text is None:
        return LEASE
    try:
        lease = float(text)
    except ValueError:
        lease = math.nan
    if not SHORTEST_LEASE <= lease <= LONGEST_LEASE:
        rule = f"lease must be a number of seconds from {SHORTEST_LEASE:g} to {LONGEST_LEASE:g}"
        raise InvalidArgumentError.of("shared", shown, rule)
    return lease
