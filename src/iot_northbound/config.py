"""ClientInfo and HttpConfig, and where a whole configuration may come from: arguments, environment, TOML profile."""

import ipaddress
import logging
import os
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import attrs

from iot_northbound.core.fields import shown
from iot_northbound.core.textfiles import read_text
from iot_northbound.errors import InvalidArgumentError, NorthApiException, SdkCode
from iot_northbound.ssl_config import SSLConfig

log = logging.getLogger("iot_northbound.config")

DEFAULT_PORT = 8743
LONGEST = 2_000_000
"""Seconds, 23 days; sockets cannot wait much longer."""


def _hide(value: Any) -> str:
    return "None" if value is None else "'***'"


def _invalid(where: str, name: str, rule: str, told: str | None = None) -> InvalidArgumentError:
    value = "" if told is None else f" = {told}"
    return InvalidArgumentError(SdkCode.INVALID_ARGUMENT, f"{where}.{name}{value}: {rule}")


def _port(value: int | str) -> int:
    number = int(value) if isinstance(value, str) and value.strip().isdecimal() and len(value) < 20 else value
    if not isinstance(number, int) or isinstance(number, bool) or not 1 <= number <= 65535:
        raise _invalid("ClientInfo", "platform_port", "it must be a number from 1 to 65535", shown(value))
    return number


@attrs.frozen(kw_only=True)
class ClientInfo:
    """The platform's address and the application's credentials (reference 2.2.2).

    Attributes:
        platform_ip: the platform's host name or IP address, IPv6 without brackets; no scheme, no port.
        platform_port: its port, as number or digits.
        app_id: the application's id.
        secret: the application's secret.

    Raises:
        InvalidArgumentError: a value is missing (1008), app id or secret hold a blank (1010), or the address or
            port cannot be one (1007).
    """

    platform_ip: str
    platform_port: int = attrs.field(default=DEFAULT_PORT, converter=_port)
    app_id: str
    secret: str = attrs.field(repr=_hide)

    def __attrs_post_init__(self) -> None:
        for name, whence in _WHENCE.items():
            value = getattr(self, name)
            if value is None or value == "":
                raise InvalidArgumentError(SdkCode.CLIENT_INFO, f"ClientInfo.{name} is missing: give {whence}")
            if not isinstance(value, str):
                raise _invalid("ClientInfo", name, f"it must be text, not {type(value).__name__}")
        for name in ("app_id", "secret"):
            if any(character.isspace() or character in _UNSEEN for character in getattr(self, name)):
                raise InvalidArgumentError(
                    SdkCode.BLANK_IN_CREDENTIALS,
                    f"ClientInfo.{name} holds a blank, a line break or an invisible mark, probably copied along: "
                    "remove it",
                )
        if not (self.app_id.isascii() and self.app_id.isprintable()):
            raise _invalid("ClientInfo", "app_id", "it goes into a header and must be printable ASCII")
        _check_host(self.platform_ip)

    @property
    def base_url(self) -> str:
        """Return `https://host:port`, an IPv6 address in brackets."""
        host = self.platform_ip
        if ":" in host:
            host = f"[{host.replace('%', '%25')}]"
        return f"https://{host}:{self.platform_port}"


_MARK = "\ufeff"
"""The byte order mark that some editors put in front of a text."""
_UNSEEN = _MARK + "\u200b\u200c\u200d\u2060"
"""Characters without width: never part of a credential."""
_WHENCE = {
    "platform_ip": "the platform's host name or IP address",
    "app_id": "the id the platform's portal shows for the application",
    "secret": "the secret issued with the application id",
}


def _check_host(host: str) -> None:
    if "://" in host:
        raise _invalid("ClientInfo", "platform_ip", "give the host alone, without https:// or a path", repr(host))
    if ":" in host:
        try:
            ipaddress.IPv6Address(host)
        except ValueError:
            rule = "a port belongs in platform_port; an IPv6 address stands without brackets"
            raise _invalid("ClientInfo", "platform_ip", rule, repr(host)) from None
    elif not host.isprintable() or any(character.isspace() or character in "/?#@[]\\%" for character in host):
        raise _invalid("ClientInfo", "platform_ip", "it must be a host name or an IP address", repr(host))


def _number(
    *, above: float | None = None, low: float | None = None, whole: bool = False, optional: bool = False
) -> Any:
    """Return a validator for a number; NaN and infinity are never one."""
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
            words = f"it must be {rule}, {high:,} at most{', or None' if optional else ''}"
            raise _invalid("HttpConfig", attribute.name, words, shown(value))

    return check


def _shown_proxy(proxy: str | None) -> str:
    """Return a proxy for reprs and messages: its user and password left out."""
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
        sound = parts.scheme == "http" and bool(parts.hostname) and (parts.port or 1) > 0 and parts.path in ("", "/")
    except (ValueError, TypeError, AttributeError):
        sound = False
    if not sound:
        told = _shown_proxy(value) if isinstance(value, str) else type(value).__name__
        raise _invalid("HttpConfig", "proxy", rule, told)


@attrs.frozen(kw_only=True)
class HttpConfig:
    """Timeouts, pool, repeats and rate of one client; the defaults of the first three are the Java SDK's (2.2.1).

    Attributes:
        connect_timeout: seconds for a connection to come about.
        read_timeout: seconds without a byte of the answer.
        pool_size: kept connections; more threads than that still run, on connections of their own.
        proxy: URL of an HTTP proxy to tunnel through. The environment's proxies are never used.
        max_attempts: how often a request is tried at most; 1 switches repeats off.
        deadline: seconds for a whole call, all attempts and the waits between them; None: no end but theirs.
        calls_per_minute: makes callers wait rather than exceed it; None: no limit. The platform allows an
            application 100 by default.
        backoff_base: seconds; before repeat n the wait is drawn from 0 to `backoff_base` x 2^(n-1).
        backoff_cap: seconds that this upper end never exceeds.

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


class Settings(NamedTuple):
    """A whole configuration, in the order NorthApiClient takes it."""

    client_info: ClientInfo
    ssl_config: SSLConfig | None
    http: HttpConfig


# A host-name rule of one's own and the switch that turns verification off are to be seen where the client is made:
# neither can come from outside.
_CODE_ONLY = ("insecure_skip_verification", "hostname_verifier")

# What an environment or a profile may set, by the attributes' names.
_INFO = {"platform_ip": str, "platform_port": int, "app_id": str, "secret": str}
_SSL = {
    "self_cert_path": Path,
    "self_cert_pwd": str,
    "self_key_path": Path,
    "self_cert_alias": str,
    "trust_ca_path": Path,
    "trust_ca_pwd": str,
    "expected_hostname": str,
    "minimum_version": ssl.TLSVersion,
    "strict_x509": bool,
}
_HTTP = {
    "connect_timeout": float,
    "read_timeout": float,
    "pool_size": int,
    "proxy": str,
    "max_attempts": int,
    "deadline": float,
    "calls_per_minute": int,
    "backoff_base": float,
    "backoff_cap": float,
}
_SECRETS = ("secret", "self_cert_pwd", "trust_ca_pwd")
_SECRET_FILES = {f"{name}_file": name for name in _SECRETS}
_KINDS: Mapping[str, type] = {**_INFO, **_SSL, **_HTTP, **dict.fromkeys(_SECRET_FILES, Path)}
_VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}

PREFIX = "IOT_NORTHBOUND_"


class _Origin(NamedTuple):
    """Where values come from: how a key is called there, and what relative paths are relative to."""

    place: str
    folder: Path
    prefix: str = ""

    def key(self, name: str) -> str:
        return self.prefix + name.upper() if self.prefix else f"{self.place}: {name}"

    def error(self, name: str, rule: str, code: str = SdkCode.INVALID_ARGUMENT) -> InvalidArgumentError:
        return InvalidArgumentError(code, f"{self.key(name)}: {rule}")


def load_env(environ: Mapping[str, str] | None = None) -> Settings:
    """Return the configuration the variables `IOT_NORTHBOUND_…` make: the attributes' names in capitals.

    Empty variables count as absent; relative paths are relative to the working folder. `…_SECRET_FILE` (likewise
    `…_SELF_CERT_PWD_FILE`, `…_TRUST_CA_PWD_FILE`) names a file that holds the value.

    Raises:
        InvalidArgumentError: a mandatory variable is missing (1008) or a value cannot be used (1007, 1010).
        TlsError: the TLS settings do not fit together (1006).
    """
    environ = os.environ if environ is None else environ
    origin = _Origin("the environment", Path(), PREFIX)
    values: dict[str, Any] = {}
    for variable, text in environ.items():
        # A mark is in front of the first line of an env file, or of a value that a script has read from a file.
        variable, text = variable.lstrip(_MARK), text.lstrip(_MARK)
        name = variable.removeprefix(PREFIX).lower()
        if not variable.startswith(PREFIX) or not text:
            continue
        if name in _KINDS or name in _CODE_ONLY:
            values[name] = _from_text(origin, name, text)
        elif name != "debug" and not name.startswith("emulator_"):  # the command line's and the platform's own
            log.warning("%s is no setting of the SDK and is ignored", variable)
    return _settings(origin, values)


def load_profile(path: str | os.PathLike[str], name: str = "default") -> Settings:
    """Return the configuration of one table of a TOML file, its keys named as the attributes.

    Relative paths are relative to the file's folder. A secret may stand in a file of its own: `secret_file`,
    `self_cert_pwd_file`, `trust_ca_pwd_file`.

    Raises:
        InvalidArgumentError: file, table or a mandatory key is missing, a key is unknown or its value of the wrong
            type or range (1007, 1008, 1010).
        TlsError: the TLS settings do not fit together (1006).
    """
    import tomllib  # here, since most clients are configured without it

    try:
        file = Path(path).expanduser()
    except (TypeError, RuntimeError) as error:  # RuntimeError: a home folder nobody has
        raise InvalidArgumentError.of("path", shown(path), f"it must be a file's path ({error})") from None
    if not isinstance(name, str):
        raise InvalidArgumentError.of("name", shown(name), "it must be text, the name of a table")
    where = _Origin(f"profile {shown(str(file))[1:-1]}", file.parent)
    try:
        tables = tomllib.loads(read_text(file))
    except FileNotFoundError:
        raise InvalidArgumentError(SdkCode.INVALID_ARGUMENT, f"{where.place} does not exist: check the path") from None
    except OSError as error:
        message = f"{where.place} cannot be read: {error.strerror or error}"
        raise InvalidArgumentError(SdkCode.INVALID_ARGUMENT, message) from error
    except (UnicodeEncodeError, ValueError) as error:
        if not isinstance(error, tomllib.TOMLDecodeError | UnicodeDecodeError):
            raise InvalidArgumentError.of("path", shown(path), "no file can have such a name") from None
        # Its message names line and column; the text itself, which may hold a secret, it does not show.
        raise InvalidArgumentError(SdkCode.INVALID_ARGUMENT, f"{where.place} is not valid TOML: {error}") from None
    table = tables.get(name)
    if not isinstance(table, dict):
        known = ", ".join(key for key, value in tables.items() if isinstance(value, dict)) or "none"
        raise InvalidArgumentError(
            SdkCode.INVALID_ARGUMENT, f"{where.place} has no table [{name}]; there: {known}. Keys belong in a table"
        )
    origin = where._replace(place=f"{where.place} [{name}]")
    values = {key: _from_toml(origin, key, value) for key, value in table.items()}
    if any(key in _SECRETS for key in values):
        _warn_if_open(file)
    return _settings(origin, values)


def _from_text(origin: _Origin, name: str, text: str) -> Any:
    kind = _KINDS.get(name)
    if kind is bool and text in _SWITCHES:
        return _SWITCHES[text]
    if kind not in (int, float):
        return _from_toml(origin, name, text)
    try:
        return kind(text)
    except ValueError:
        raise origin.error(name, f"it must be {_WORDS[kind]}") from None


_SWITCHES = {"true": True, "false": False}
_WORDS: Mapping[type, str] = {
    bool: "true or false",
    str: "text",
    Path: "text, the path of a file",
    int: "a whole number",
    float: "a number",
    ssl.TLSVersion: '"1.2" or "1.3"',
}


def _from_toml(origin: _Origin, name: str, value: Any) -> Any:
    kind = _KINDS.get(name)
    if kind is None:
        if name in _CODE_ONLY:
            raise origin.error(name, "this can be given as an argument of SSLConfig only")
        raise origin.error(name, f"no such key; known are {', '.join(sorted(_KINDS))}")
    if kind is ssl.TLSVersion:
        if not isinstance(value, str) or value not in _VERSIONS:
            raise origin.error(name, f"it must be {_WORDS[kind]}")
        return _VERSIONS[value]
    if name == "platform_port" and isinstance(value, str):
        return value  # digits are as good; ClientInfo looks at them
    accepted: Any = {Path: str, float: (int, float)}.get(kind, kind)
    if not isinstance(value, accepted) or isinstance(value, bool) != (kind is bool):
        raise origin.error(name, f"it must be {_WORDS[kind]}, not {type(value).__name__}")
    if kind is Path:
        if not value:
            raise origin.error(name, "the path is empty: leave the key out, or name the file")
        return origin.folder / Path(value).expanduser()
    return value


def _settings(origin: _Origin, values: dict[str, Any]) -> Settings:
    for file_key, name in _SECRET_FILES.items():
        if file_key in values:
            if name in values:
                raise origin.error(file_key, f"{name} is given too: one of the two")
            values[name] = _secret_from(origin, file_key, values.pop(file_key))
    for name, whence in _WHENCE.items():
        if not values.get(name):
            also = f" (or {name}_file)" if name in _SECRETS else ""
            raise origin.error(name, f"it is missing{also}: give {whence}", SdkCode.CLIENT_INFO)

    def only(names: Mapping[str, type]) -> dict[str, Any]:
        return {key: value for key, value in values.items() if key in names}

    try:
        tls = only(_SSL)
        return Settings(ClientInfo(**only(_INFO)), SSLConfig(**tls) if tls else None, HttpConfig(**only(_HTTP)))
    except NorthApiException as error:
        raise type(error)(error.error_code, f"{origin.place}: {error.error_desc}") from None


def _secret_from(origin: _Origin, key: str, file: Path) -> str:
    try:
        text = read_text(file).rstrip("\r\n")
    except (OSError, ValueError) as error:  # ValueError: no text, or a name that no file can have
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise origin.error(key, f"{file} cannot be read: {reason}") from None
    if not text:
        raise origin.error(key, f"{file} is empty")
    _warn_if_open(file)
    return text


def _warn_if_open(file: Path) -> None:
    """Warn where others can read a file with a secret; Windows keeps its rights elsewhere."""
    if os.name == "posix" and file.stat().st_mode & 0o077:
        log.warning("%s holds a secret and others may read it: run `chmod 600` on it", file)
