"""The options that name a platform, shared by the commands that call one, and the configuration they give."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from iot_northbound.cli import values
from iot_northbound.cli.command import Option, refuse
from iot_northbound.emulator_home import EMULATOR_FOLDER, emulator_home, expanded

if TYPE_CHECKING:
    from iot_northbound.config import Settings

SOURCES = ("platform_ip", "profile", "emulator")
"""The options that name a platform; only one of them may be given."""
_NAME = re.compile(r"[\w-]+")


@dataclass(frozen=True, kw_only=True)
class Connection:
    """The values of the options that name a platform, named as the options are."""

    profile: str | None = None
    emulator: str | None = None
    platform_ip: str | None = None
    platform_port: int | None = None
    app_id: str | None = None
    secret_file: str | None = None
    cert: str | None = None
    cert_alias: str | None = None
    key: str | None = None
    cert_password_file: str | None = None
    ca: str | None = None
    ca_password_file: str | None = None
    expected_hostname: str | None = None

    def settings(self, names: dict[str, str]) -> Settings:
        """Return the configuration; put the names of its parts, as error messages should say them, into `names`.

        Raises:
            NorthApiException: the configuration is incomplete or cannot be used (1006, 1007, 1008, 1010).
        """
        from iot_northbound.cli.wording import VARIABLES, say
        from iot_northbound.profiles import load_env, load_profile

        source = self.source()
        if source == "options":
            return self.settings_with(Secrets.of(self), names)
        if source == "variables":
            names.update(VARIABLES)
            return load_env()
        if self._is_fallback():
            note = f"no platform is given, so the embedded one is used ({source[0]})"
            say(f"iot-northbound: {note}")
        return load_profile(*source)

    def source(self) -> tuple[Path, str] | str:
        """Return where the configuration comes from: a profile as file and table, "options" or "variables"."""
        given = [name for name in SOURCES if getattr(self, name) is not None]
        if len(given) > 1:
            refuse(f"--{given[0].replace('_', '-')} and --{given[1]} are given: give only one of the two")
        if self.platform_ip is not None:
            return "options"
        self.refuse_alone(WITH_ADDRESS, "--platform-ip")
        if self.profile is not None:
            return profile_named(self.profile)
        if self.emulator is not None:
            return self._emulator_profile(), "default"
        if named := os.environ.get("IOT_NORTHBOUND_PROFILE"):
            return profile_named(named)
        if any(os.environ.get(f"IOT_NORTHBOUND_{name}") for name in ("PLATFORM_IP", "APP_ID")):
            return "variables"
        return (default_profile() if _has_default() else self._emulator_profile()), "default"

    def refuse_alone(self, names: Sequence[str], beside: str) -> None:
        """End the program (status 2) if one of these options is given, because they need another one."""
        refuse_alone({name: getattr(self, name) for name in names}, beside)

    def _is_fallback(self) -> bool:
        named = self.profile is not None or self.emulator is not None or os.environ.get("IOT_NORTHBOUND_PROFILE")
        return not named and not _has_default()

    def _emulator_profile(self) -> Path:
        try:
            profile = emulator_home(self.emulator) / "profile.toml"
        except ValueError as error:
            refuse(f"no platform: {error}")
        if not profile.is_file():
            refuse(
                f"no platform: there is no {profile}. Make a profile with `iot-northbound config init`, give one with "
                "--profile or an address with --platform-ip, or start `iot-northbound emulator`"
            )
        return profile

    def settings_with(self, secrets: Secrets, names: dict[str, str]) -> Settings:
        """Return the configuration that these options give, as `settings` does."""
        from iot_northbound.cli.wording import OPTIONS
        from iot_northbound.config import DEFAULT_PORT, ClientInfo, HttpConfig, Settings
        from iot_northbound.ssl_config import SSLConfig

        names.update(OPTIONS)
        if self.app_id is None:
            refuse("--platform-ip needs --app-id")
        tls = SSLConfig(
            self_cert_path=self.cert,
            self_key_path=self.key,
            self_cert_alias=self.cert_alias,
            self_cert_pwd=secrets.cert_password,
            trust_ca_path=self.ca,
            trust_ca_pwd=secrets.ca_password,
            expected_hostname=self.expected_hostname,
        )
        secret = secrets.secret
        if not secret and sys.stdin.isatty():
            secret = click.prompt(f"secret of {self.app_id}", hide_input=True, err=True, type=str)
        if not secret:
            refuse("the secret is missing: give --secret-file, or set IOT_NORTHBOUND_SECRET")
        info = ClientInfo(
            platform_ip=self.platform_ip or "",
            platform_port=self.platform_port or DEFAULT_PORT,
            app_id=self.app_id,
            secret=secret,
        )
        return Settings(info, tls, HttpConfig())


@dataclass(frozen=True, kw_only=True, repr=False)
class Secrets:
    """The secrets of a configuration; None if they are not given."""

    secret: str | None = None
    cert_password: str | None = None
    ca_password: str | None = None

    @classmethod
    def of(cls, connection: Connection) -> Secrets:
        """Return the secrets in the files that the options name, or in the variable."""
        return cls(
            secret=read_secret(connection.secret_file) or os.environ.get("IOT_NORTHBOUND_SECRET"),
            cert_password=read_secret(connection.cert_password_file),
            ca_password=read_secret(connection.ca_password_file),
        )


WITH_ADDRESS = tuple(each.name for each in fields(Connection) if each.name not in SOURCES)
"""The options that need --platform-ip: the other sources have all of these values themselves."""


def options(title: str) -> Iterator[Option]:
    """Yield the options of a `Connection`, in a section of the help with this title."""

    def option(*names: str, metavar: str, help: str, **settings: Any) -> Option:
        return Option(list(names), metavar=metavar, help=help, section=title, **settings)

    yield option(
        "--profile",
        metavar="FILE[:NAME]",
        help="a TOML profile and its table (default: default), or the NAME of a table of the default file; "
        "IOT_NORTHBOUND_PROFILE is the same",
    )
    yield option(
        "--emulator",
        metavar="[DIR]",
        is_flag=False,
        flag_value="",
        help=f"the embedded platform; DIR is its folder, default: {EMULATOR_FOLDER}",
    )
    yield option("--platform-ip", metavar="HOST", help="the platform's host name or IP address")
    yield option("--platform-port", metavar="PORT", type=values.port, help="its port (default: 8743)")
    yield option("--app-id", metavar="ID", help="the application's id")
    yield option("--secret-file", metavar="FILE", help="file with the application's secret")
    yield option("--cert", metavar="FILE", help="client certificate: PEM, DER, PKCS#12 or JKS")
    yield option("--cert-alias", metavar="NAME", help="which private key of that file, if it has several")
    yield option("--key", metavar="FILE", help="its key, if it is in a separate file")
    what = "file with the password of the certificate's file, or of the key"
    yield option("--cert-password-file", metavar="FILE", help=what)
    yield option("--ca", metavar="FILE", help="CAs to trust: PEM, DER, PKCS#12 or JKS (default: the system's)")
    yield option("--ca-password-file", metavar="FILE", help="file with the password of the CA file")
    what = "the host name in the server's certificate, if it is not HOST"
    yield option("--expected-hostname", metavar="NAME", help=what)


def refuse_alone(given: dict[str, Any], beside: str) -> None:
    """End the program (status 2) if one of these options is given, because they need another one."""
    for name, value in given.items():
        if value not in (None, [], (), False):
            refuse(f"--{name.replace('_', '-')} needs {beside}")


def default_profile() -> Path:
    """Return the file that is used if nothing names a platform, in the folder of the user's settings."""
    folder = _settings_folder()
    if folder is None:
        refuse("this user has no home, where the default file would be: set HOME, or give --profile FILE:NAME")
    return folder / "iot-northbound" / "profile.toml"


def _has_default() -> bool:
    return _settings_folder() is not None and default_profile().is_file()


def _settings_folder() -> Path | None:
    base = os.environ.get("XDG_CONFIG_HOME") or ""
    try:
        return Path(base) if Path(base).is_absolute() else expanded("~/.config")
    except ValueError:
        return None


def path_of(text: str) -> Path:
    """Return a path; end the command if it begins with the home of a user that does not exist."""
    try:
        return expanded(text)
    except ValueError as error:
        refuse(str(error))


def profile_named(text: str) -> tuple[Path, str]:
    """Return file and table of FILE[:NAME]. A file that has this whole name is that file; a bare name is a table."""
    if path_of(text).exists():
        return path_of(text), "default"
    if _NAME.fullmatch(text):
        return default_profile(), text
    path, colon, name = text.rpartition(":")
    return (path_of(path), name) if colon else (path_of(text), "default")


def read_secret(path: str | None) -> str | None:
    """Return the only line of a file with a secret; None if there is no path.

    Raises:
        InvalidArgumentError: it cannot be read, or is empty (1007).
    """
    from iot_northbound.core.textfiles import read_text
    from iot_northbound.errors import InvalidArgumentError, SdkCode

    if path is None:
        return None
    try:
        text = read_text(path_of(path)).rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise InvalidArgumentError(SdkCode.INVALID_ARGUMENT, f"{path} cannot be read: {reason}") from None
    if not text:
        raise InvalidArgumentError(SdkCode.INVALID_ARGUMENT, f"{path} is empty: it must contain the secret")
    return text
