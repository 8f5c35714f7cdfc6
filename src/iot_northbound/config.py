"""What a client is configured with: ClientInfo and HttpConfig. `profiles` reads them from a file or the environment."""

import ipaddress
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import attrs

from iot_northbound._hide import hide
from iot_northbound.core.clock import LONGEST
from iot_northbound.core.fields import shown
from iot_northbound.errors import InvalidArgumentError, SdkCode
from iot_northbound.shared.url import read_url
from iot_northbound.ssl_config import SSLConfig

DEFAULT_PORT = 8743


def _invalid(where: str, name: str, rule: str, given: str | None = None) -> InvalidArgumentError:
    value = "" if given is None else f" = {given}"
    return InvalidArgumentError(SdkCode.INVALID_ARGUMENT, f"{where}.{name}{value}: {rule}")


def must_be(name: str, value: Any, *kinds: type | None) -> None:
    """Refuse an argument of another type; None stands for None."""
    if any(value is None if kind is None else isinstance(value, kind) for kind in kinds):
        return
    wanted = " or ".join("None" if kind is None else f"a {kind.__name__}" for kind in kinds)
    raise InvalidArgumentError.of(name, f"a {type(value).__name__}", f"it must be {wanted}")


def _port(value: int | str) -> int:
    number = int(value) if isinstance(value, str) and value.strip().isdecimal() and len(value) < 20 else value
    if not isinstance(number, int) or isinstance(number, bool) or not 1 <= number <= 65535:
        raise _invalid("ClientInfo", "platform_port", "it must be a number from 1 to 65535", shown(value))
    return number


@attrs.frozen(kw_only=True)
class ClientInfo:
    """The platform's address and the application's credentials (reference 2.2.2).

    Attributes:
        platform_ip: the platform's host name or IP address, without scheme or port; IPv6 without brackets.
        platform_port: its port, as a number or as digits.
        app_id: the application's id.
        secret: the application's secret.

    Raises:
        InvalidArgumentError: a value is missing (1008), the app id or the secret contains a blank (1010), or the
            address or the port is not valid (1007).
    """

    platform_ip: str
    platform_port: int = attrs.field(default=DEFAULT_PORT, converter=_port)
    app_id: str
    secret: str = attrs.field(repr=hide)

    def __attrs_post_init__(self) -> None:
        for name, source in WHERE_FROM.items():
            value = getattr(self, name)
            if value is None or value == "":
                raise InvalidArgumentError(SdkCode.CLIENT_INFO, f"ClientInfo.{name} is missing: give {source}")
            if not isinstance(value, str):
                raise _invalid("ClientInfo", name, f"it must be text, not {type(value).__name__}")
        for name in ("app_id", "secret"):
            if any(character.isspace() or character in _UNSEEN for character in getattr(self, name)):
                raise InvalidArgumentError(
                    SdkCode.BLANK_IN_CREDENTIALS,
                    f"ClientInfo.{name} contains a blank, a line break or an invisible character, which was probably "
                    "copied by mistake: remove it",
                )
        if not (self.app_id.isascii() and self.app_id.isprintable()):
            raise _invalid("ClientInfo", "app_id", "it is sent in a header and must be printable ASCII")
        _check_host(self.platform_ip)

    @property
    def application(self) -> str:
        """What its processes have in common: `host:port/app id`."""
        return f"{self.base_url.removeprefix('https://').lower()}/{self.app_id}"

    @property
    def base_url(self) -> str:
        """The platform's URL, `https://host:port`; an IPv6 address is in brackets."""
        host = self.platform_ip
        if ":" in host:
            host = f"[{host.replace('%', '%25')}]"
        return f"https://{host}:{self.platform_port}"


_UNSEEN = "\ufeff\u200b\u200c\u200d\u2060"
"""Characters without width. They are never part of a credential."""
WHERE_FROM: Mapping[str, str] = {
    "platform_ip": "the platform's host name or IP address",
    "app_id": "the application's id, as the platform's portal shows it",
    "secret": "the secret that was issued with the application id",
}
"""The mandatory attributes of ClientInfo, with where to find their values."""


def _check_host(host: str) -> None:
    if "://" in host:
        raise _invalid("ClientInfo", "platform_ip", "give only the host, without https:// or a path", repr(host))
    if ":" in host:
        try:
            ipaddress.IPv6Address(host)
        except ValueError:
            rule = "give a port as platform_port; write an IPv6 address without brackets"
            raise _invalid("ClientInfo", "platform_ip", rule, repr(host)) from None
    elif not host.isprintable() or any(character.isspace() or character in "/?#@[]\\%" for character in host):
        raise _invalid("ClientInfo", "platform_ip", "it must be a host name or an IP address", repr(host))


def _number(
    *, above: float | None = None, low: float | None = None, whole: bool = False, optional: bool = False
) -> Any:
    """Return a validator for a number; NaN and infinity are refused."""
    high = 10**9 if whole else LONGEST
    kinds: Any = int if whole else (int, float)
    rule = "a whole number" if whole else "a number of seconds"
    rule += f" above {above:g}" if above is not None else f" of {low:g} or more"

    def check(_: Any, attribute: "attrs.Attribute[Any]", value: Any) -> None:
        if value is None and optional:
            return
        if (
            not isinstance(value, kinds)
            or isinstance(value, bool)
            or not -high <= value <= high
            or (above is not None and value <= above)
            or (low is not None and value < low)
        ):
            words = f"it must be {rule}, at most {high:,}{', or None' if optional else ''}"
            raise _invalid("HttpConfig", attribute.name, words, shown(value))

    return check


def _shown_proxy(proxy: str | None) -> str:
    """Return a proxy for reprs and messages, without its user and password."""
    if proxy is None:
        return "None"
    head, at, host = str(proxy).rpartition("@")
    return repr(f"{head.partition('://')[0]}://***@{host}" if at else proxy)


def _check_proxy(_: Any, __: Any, value: Any) -> None:
    if value is None:
        return
    rule = "it must be the URL of an HTTP proxy, such as http://proxy.example:3128"
    try:
        parts = urlsplit(value)
        is_valid = parts.scheme == "http" and bool(parts.hostname) and (parts.port or 1) > 0 and parts.path in ("", "/")
    except (ValueError, TypeError, AttributeError):
        is_valid = False
    if not is_valid:
        given = _shown_proxy(value) if isinstance(value, str) else type(value).__name__
        raise _invalid("HttpConfig", "proxy", rule, given)


@attrs.frozen(kw_only=True)
class HttpConfig:
    """Timeouts, connection pool, repeats and rate limit of one client.

    The defaults of the first three are those of the Java SDK (2.2.1).

    Attributes:
        connect_timeout: seconds to wait for a connection.
        read_timeout: seconds to wait for the next byte of an answer.
        pool_size: how many connections are kept open. More threads than that use additional connections.
        proxy: URL of an HTTP proxy to tunnel through. The proxies of the environment are never used.
        max_attempts: how often a request is tried at most; 1 switches repeats off.
        deadline: seconds for a whole call, with all attempts and the waits between them; None: no limit.
        calls_per_minute: if set, calls wait so that this rate is not exceeded. By default the platform allows an
            application 100 calls per minute.
        backoff_base: seconds; the wait before repeat n is random, between 0 and `backoff_base` x 2^(n-1).
        backoff_cap: the longest wait before a repeat, in seconds.

    Raises:
        InvalidArgumentError: a value is out of its range (1007).
    """

    connect_timeout: float = attrs.field(default=30.0, validator=_number(above=0))
    read_timeout: float = attrs.field(default=30.0, validator=_number(above=0))
    pool_size: int = attrs.field(default=200, validator=_number(low=1, whole=True))
    proxy: str | None = attrs.field(default=None, validator=_check_proxy, repr=_shown_proxy)
    max_attempts: int = attrs.field(default=3, validator=_number(low=1, whole=True))
    deadline: float | None = attrs.field(default=60.0, validator=_number(above=0, optional=True))
    calls_per_minute: int | None = attrs.field(default=None, validator=_number(low=1, whole=True, optional=True))
    backoff_base: float = attrs.field(default=0.5, validator=_number(low=0))
    backoff_cap: float = attrs.field(default=20.0, validator=_number(low=0))


def _away(_: Any, attribute: "attrs.Attribute[Any]", value: Any) -> None:
    if value not in ("fail", "alone"):
        raise _invalid("SharedConfig", attribute.name, "it must be 'fail' or 'alone'", shown(value))


@attrs.frozen
class SharedConfig:
    """Where the processes of one application share their token and their limit.

    Attributes:
        shared: the URL: file:/path, redis://host, rediss://host, valkey://host or postgresql://host/database.
        shared_away: what a client does if it needs a token while that is away: "fail" lets the call fail, "alone" logs
            in by itself, at most once a minute.

    Raises:
        InvalidArgumentError: it is no such URL, or another word (1007).
    """

    shared: str = attrs.field(repr=hide)
    shared_away: str = attrs.field(default="fail", kw_only=True, validator=_away)

    def __attrs_post_init__(self) -> None:
        read_url(self.shared)

    @classmethod
    def of(
        cls, shared: "str | SharedConfig | None", shared_away: str | None, *, instead_of: object
    ) -> "SharedConfig | None":
        """Return the configuration that the arguments of a client give, or None. `instead_of` is its token store."""
        if shared is not None and instead_of is not None:
            rule = "token_store is given too: give only one of the two, because a token is kept in one place"
            raise InvalidArgumentError.of("shared", "***", rule)
        if shared is None:
            if shared_away is not None:
                rule = "shared is missing: give the URL of what the processes share, or leave both out"
                raise InvalidArgumentError.of("shared_away", shown(shared_away), rule)
            return None
        if not isinstance(shared, cls):
            away: Any = "fail" if shared_away is None else shared_away  # the class checks it
            return cls(shared, shared_away=away)  # type: ignore[arg-type]  # and this
        return shared if shared_away is None else attrs.evolve(shared, shared_away=shared_away)


class Settings(NamedTuple):
    """A whole configuration, in the order of NorthApiClient's arguments."""

    client_info: ClientInfo
    ssl_config: SSLConfig | None
    http: HttpConfig
    shared: SharedConfig | None = None

    def with_http(self, http: HttpConfig | None) -> "Settings":
        """Return the same configuration with these timeouts, pool, repeats and rate limit; None changes nothing."""
        must_be("http", http, HttpConfig, None)
        return self if http is None else self._replace(http=http)
