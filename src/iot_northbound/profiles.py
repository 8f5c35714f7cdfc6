"""Where a configuration comes from: the environment, a TOML profile, and files that contain secrets."""

import contextlib
import logging
import os
import ssl
from collections.abc import Mapping
from copy import copy
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple, get_args

import attrs

from iot_northbound._extras import MissingExtraError, needs_extra
from iot_northbound._hide import hide
from iot_northbound.config import WHERE_FROM, ClientInfo, HttpConfig, Settings, SharedConfig
from iot_northbound.core.fields import bare_type, shown
from iot_northbound.core.suggest import did_you_mean
from iot_northbound.core.textfiles import read_text
from iot_northbound.errors import InvalidArgumentError, NorthApiException, SdkCode
from iot_northbound.shared.url import absolute
from iot_northbound.ssl_config import SSLConfig

log = logging.getLogger("iot_northbound.config")

PREFIX = "IOT_NORTHBOUND_"


class Section(NamedTuple):
    """A part of a configuration: a class whose attributes are the keys."""

    cls: Any
    mandatory: Mapping[str, str] = MappingProxyType({})
    """The keys that must be given, with where to find their values."""
    code_only: frozenset[str] = frozenset()
    """Attributes that only code can set."""
    optional: bool = False
    """Whether the section is None if none of its keys is given."""

    def kinds(self) -> dict[str, type]:
        """Return the type of each key."""
        fields = (each for each in attrs.fields(self.cls) if each.name not in self.code_only)
        return {each.name: bare_type(each.type) for each in fields}

    def limits(self) -> list[str]:
        """Return the keys of numbers that can be switched off."""
        fields = (each for each in attrs.fields(self.cls) if bare_type(each.type) in (int, float))
        return [each.name for each in fields if type(None) in get_args(each.type)]

    def secrets(self) -> list[str]:
        """Return the keys whose values are secret; each of them can be given as `…_file` or `…_keyring` too."""
        return [each.name for each in attrs.fields(self.cls) if each.repr is hide]

    def made_of(self, values: Mapping[str, Any]) -> Any:
        """Return the section that these values give, or None."""
        own = {key: values[key] for key in self.kinds() if key in values}
        return self.cls(**own) if own or not self.optional else None


SECTIONS = (
    Section(ClientInfo, mandatory=WHERE_FROM),
    # A host-name rule of the application and the switch that turns verification off must be visible in the code.
    Section(SSLConfig, code_only=frozenset({"insecure_skip_verification", "hostname_verifier"}), optional=True),
    Section(HttpConfig),
    Section(SharedConfig, optional=True),
)
"""What environment and profiles can set, in the order of `Settings`."""

_INBOX = "inbox"
"""The key of the receiver's inbox. It is beside the sections, because a client has none."""
_SECRETS = frozenset({_INBOX, *(name for section in SECTIONS for name in section.secrets())})
KEYRING = "iot-northbound"
"""The service of our entries in the keyring of the operating system."""
_CODE_ONLY = {name: section.cls.__name__ for section in SECTIONS for name in section.code_only}
_KINDS: Mapping[str, type] = {
    **{name: kind for section in SECTIONS for name, kind in section.kinds().items()},
    **{f"{name}_file": Path for name in _SECRETS},
    **{f"{name}_keyring": str for name in _SECRETS},
    _INBOX: str,
}
_LIMITS = frozenset(name for section in SECTIONS for name in section.limits())
_OFF = "none"
"""How an environment or a profile says that a number has no limit, because neither has a null."""
_ELSEWHERE = frozenset({"debug", "profile"})
"""Variables of the command line."""
_VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
_MARK = "\ufeff"
"""The byte order mark that some editors write at the beginning of a text."""


class _Origin(NamedTuple):
    """Where values come from: the name of a key there, and the folder of relative paths."""

    place: str
    folder: Path
    prefix: str = ""

    def key(self, name: str) -> str:
        return self.prefix + name.upper() if self.prefix else f"{self.place}: {name}"

    def error(self, name: str, rule: str, code: str = SdkCode.INVALID_ARGUMENT) -> InvalidArgumentError:
        return InvalidArgumentError(code, f"{self.key(name)}: {rule}")


def load_env(environ: Mapping[str, str] | None = None) -> Settings:
    """Return the configuration from the variables `IOT_NORTHBOUND_…`, named like the attributes in capital letters.

    An empty variable is ignored. A relative path is relative to the working folder. `…_SECRET_FILE` (and
    `…_SELF_CERT_PWD_FILE`, `…_TRUST_CA_PWD_FILE`) names a file that contains the value.

    Raises:
        InvalidArgumentError: a mandatory variable is missing (1008) or a value cannot be used (1007, 1010).
        TlsError: the TLS settings do not fit together (1006).
    """
    return _settings(*_environment(environ))


def _environment(environ: Mapping[str, str] | None) -> tuple[_Origin, dict[str, Any]]:
    environ = os.environ if environ is None else environ
    origin = _Origin("the environment", Path(), PREFIX)
    values: dict[str, Any] = {}
    for variable, text in environ.items():
        # The first line of an env file can begin with a mark, and so can a value that a script has read from a file.
        variable, text = variable.lstrip(_MARK), text.lstrip(_MARK)
        name = variable.removeprefix(PREFIX).lower()
        if not variable.startswith(PREFIX) or not text:
            continue
        if name in _KINDS or name in _CODE_ONLY:
            values[name] = _from_text(origin, name, text)
        elif name not in _ELSEWHERE and not name.startswith("emulator_"):  # those are the emulator's
            hint = did_you_mean(name.upper(), [each.upper() for each in sorted(_KINDS)])
            log.warning("%s is not a setting of the SDK and is ignored%s", variable, hint)
    return origin, values


def load_profile(path: str | os.PathLike[str], name: str = "default") -> Settings:
    """Return the configuration from one table of a TOML file, whose keys are named like the attributes.

    A relative path is relative to the file's folder. A secret can be in a file of its own (`secret_file`,
    `self_cert_pwd_file`, `trust_ca_pwd_file`), or in the keyring of the operating system (`secret_keyring` names the
    entry of the service `iot-northbound`, and so on; this needs the extra `keyring`).

    Raises:
        InvalidArgumentError: the file, the table or a mandatory key is missing, a key is unknown, or a value has the
            wrong type or range (1007, 1008, 1010).
        TlsError: the TLS settings do not fit together (1006).
    """
    return _settings(*_table(path, name))


def load_inbox_url(
    path: str | os.PathLike[str] | None = None, name: str = "default", *, environ: Mapping[str, str] | None = None
) -> str:
    """Return the URL of the receiver's inbox, for `open_inbox`: the key `inbox` of a profile.

    Without a profile it is the variable `IOT_NORTHBOUND_INBOX`. The URL can be in a file of its own (`inbox_file`),
    because it may contain a password. The path of `sqlite:` is relative to the profile's folder.

    Raises:
        InvalidArgumentError: the profile cannot be read, or it has no inbox (1007).
    """
    origin, values = _environment(environ) if path is None else _table(path, name)
    _read_secret(origin, values, _INBOX)
    if not values.get(_INBOX):
        raise origin.error(_INBOX, "it is missing (or inbox_file): give the URL of an inbox, for example sqlite:name")
    return absolute(values[_INBOX], origin.folder, "sqlite")


def _table(path: str | os.PathLike[str], name: str) -> tuple[_Origin, dict[str, Any]]:
    import tomllib  # here, because most clients are configured without it

    try:
        file = Path(path).expanduser()
    except (TypeError, RuntimeError) as error:  # RuntimeError: the home folder of an unknown user
        raise InvalidArgumentError.of("path", shown(path), f"it must be the path of a file ({error})") from None
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
            raise InvalidArgumentError.of("path", shown(path), "a file cannot have such a name") from None
        # This message names the line and the column. It does not show the text, which may contain a secret.
        raise InvalidArgumentError(SdkCode.INVALID_ARGUMENT, f"{where.place} is not valid TOML: {error}") from None
    table = tables.get(name)
    if not isinstance(table, dict):
        known = ", ".join(key for key, value in tables.items() if isinstance(value, dict)) or "no table"
        raise InvalidArgumentError(
            SdkCode.INVALID_ARGUMENT,
            f"{where.place} has no table [{name}]; it has: {known}. Keys must be in a table"
            f"{did_you_mean(name, list(tables))}",
        )
    origin = where._replace(place=f"{where.place} [{name}]")
    values = {key: _from_toml(origin, key, value) for key, value in table.items()}
    if any(key in _SECRETS for key in values):
        _warn_if_open(file)
    return origin, values


def _from_text(origin: _Origin, name: str, text: str) -> Any:
    kind = _KINDS.get(name)
    if kind is bool and text in _SWITCHES:
        return _SWITCHES[text]
    if kind not in (int, float) or text == _OFF:
        return _from_toml(origin, name, text)
    try:
        return kind(text)
    except ValueError:
        raise origin.error(name, f"it must be {_wanted(name)}") from None


_SWITCHES = {"true": True, "false": False}
_WORDS: Mapping[type, str] = {
    bool: "true or false",
    str: "text",
    Path: "text, the path of a file",
    int: "a whole number",
    float: "a number",
    ssl.TLSVersion: '"1.2" or "1.3"',
}


def _wanted(name: str) -> str:
    return _WORDS[_KINDS[name]] + (f', or "{_OFF}"' if name in _LIMITS else "")


def _from_toml(origin: _Origin, name: str, value: Any) -> Any:
    kind = _KINDS.get(name)
    if kind is None:
        if name in _CODE_ONLY:
            raise origin.error(name, f"this can only be given as an argument of {_CODE_ONLY[name]}")
        known = sorted(_KINDS)
        hint = did_you_mean(name, known) or f"; the known keys are {', '.join(known)}"
        raise origin.error(name, f"there is no such key{hint}")
    if value == _OFF and name in _LIMITS:
        return None
    if kind is ssl.TLSVersion:
        if not isinstance(value, str) or value not in _VERSIONS:
            raise origin.error(name, f"it must be {_wanted(name)}")
        return _VERSIONS[value]
    if name == "platform_port" and isinstance(value, str):
        return value  # ClientInfo accepts digits too, and checks them
    accepted: Any = {Path: str, float: (int, float)}.get(kind, kind)
    if not isinstance(value, accepted) or isinstance(value, bool) != (kind is bool):
        raise origin.error(name, f"it must be {_wanted(name)}, not {type(value).__name__}")
    if kind is Path:
        if not value:
            raise origin.error(name, "the path is empty: leave the key out, or name the file")
        try:
            return origin.folder / Path(value).expanduser()
        except RuntimeError as error:
            raise origin.error(name, f"it must be the path of a file ({error})") from None
    return value


def _settings(origin: _Origin, values: dict[str, Any]) -> Settings:
    for name in sorted(_SECRETS - {_INBOX}):
        _read_secret(origin, values, name)
    if "shared_away" in values and "shared" not in values:
        raise origin.error("shared_away", "shared is missing: give it too, or leave both out")
    if "shared" in values:
        values["shared"] = absolute(values["shared"], origin.folder)
    for section in SECTIONS:
        for name, source in section.mandatory.items():
            if not values.get(name):
                also = f" (or {name}_file)" if name in _SECRETS else ""
                raise origin.error(name, f"it is missing{also}: give {source}", SdkCode.CLIENT_INFO)
    try:
        return Settings(*(section.made_of(values) for section in SECTIONS))
    except NorthApiException as error:
        placed = copy(error)
        placed.error_desc = f"{origin.place}: {error.error_desc}"
        raise placed from None


def _read_secret(origin: _Origin, values: dict[str, Any], name: str) -> None:
    """Put a secret into `values` that is in a file or in the keyring."""
    for key, read in ((f"{name}_file", _secret_from), (f"{name}_keyring", _secret_of)):
        if key in values:
            if name in values:
                raise origin.error(key, f"{name} is given too: give only one of the two")
            values[name] = read(origin, key, values.pop(key))


def _secret_of(origin: _Origin, key: str, entry: str) -> str:
    """Return the secret of an entry in the keyring of the operating system."""
    try:
        with needs_extra("keyring"):
            import keyring
        secret = keyring.get_password(KEYRING, entry)
    except MissingExtraError as error:
        raise origin.error(key, str(error)) from None
    except Exception as error:  # noqa: BLE001 - each keyring has errors of its own, whose texts may contain anything
        raise origin.error(key, f"the keyring cannot be read ({type(error).__name__}): unlock it") from None
    if not secret:
        raise origin.error(key, f"the keyring has no entry {entry!r}: `iot-northbound config init` writes it")
    return secret


def _secret_from(origin: _Origin, key: str, file: Path) -> str:
    try:
        text = read_text(file).rstrip("\r\n")
    except (OSError, ValueError) as error:  # ValueError: it is not text, or a file cannot have such a name
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise origin.error(key, f"{file} cannot be read: {reason}") from None
    if not text:
        raise origin.error(key, f"{file} is empty")
    _warn_if_open(file)
    return text


def _warn_if_open(file: Path) -> None:
    """Warn if other users can read a file that contains a secret. Windows keeps access rights elsewhere."""
    mode = 0
    with contextlib.suppress(OSError):  # it was read, but another program may have replaced or deleted it since
        mode = file.stat().st_mode
    if os.name == "posix" and mode & 0o077:
        log.warning("%s contains a secret, and other users can read it: run `chmod 600` on it", file)
