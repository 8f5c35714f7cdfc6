"""The arguments that name a platform, shared by the subcommands that call one."""

import argparse
import getpass
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from iot_northbound.cli import values
from iot_northbound.cli.wording import OPTIONS, VARIABLES
from iot_northbound.config import DEFAULT_PORT, ClientInfo, HttpConfig, Settings
from iot_northbound.core.textfiles import read_text
from iot_northbound.emulator_home import EMULATOR_FOLDER, emulator_home
from iot_northbound.errors import InvalidArgumentError, SdkCode
from iot_northbound.profiles import PREFIX, load_env, load_profile
from iot_northbound.ssl_config import SSLConfig

SOURCES = ("platform_ip", "profile", "emulator")
"""The arguments that name a platform; only one of them may be given."""
WITH_ADDRESS = (
    "platform_port",
    "app_id",
    "secret_file",
    "cert",
    "key",
    "cert_alias",
    "cert_password_file",
    "ca",
    "ca_password_file",
    "expected_hostname",
)
"""The arguments that need --platform-ip: the other sources have all of these values themselves."""


def add_arguments(parser: argparse.ArgumentParser, title: str = "platform") -> None:
    """Add the arguments to a subcommand's parser, under a title that says what the platform is for."""
    group = parser.add_argument_group(
        title,
        f"Give a profile, the embedded platform, or an address with credentials and certificates. Without any of them, "
        f"the variables {PREFIX}… are used; if they are not set, the embedded platform is used. The secret is read "
        f"from a file or from {PREFIX}SECRET, or the command asks for it. It is not an argument, because the "
        f"process list would show it.",
    )
    source = group.add_mutually_exclusive_group()
    source.add_argument("--profile", metavar="FILE[:NAME]", help="a TOML profile; NAME is its table, default: default")
    source.add_argument(
        "--emulator",
        metavar="DIR",
        nargs="?",
        const="",
        help=f"the embedded platform; DIR is its folder, default: {EMULATOR_FOLDER}",
    )
    source.add_argument("--platform-ip", metavar="HOST", help="the platform's host name or IP address")
    add = group.add_argument
    add("--platform-port", metavar="PORT", type=values.port, help=f"its port (default: {DEFAULT_PORT})")
    add("--app-id", metavar="ID", help="the application's id")
    add("--secret-file", metavar="FILE", help="file with the application's secret")
    add("--cert", metavar="FILE", help="client certificate: PEM, DER, PKCS#12 or JKS")
    add("--cert-alias", metavar="NAME", help="which private key of that file, if it has several")
    add("--key", metavar="FILE", help="its key, if it is in a separate file")
    add("--cert-password-file", metavar="FILE", help="file with the password of the certificate's file, or of the key")
    add("--ca", metavar="FILE", help="CAs to trust: PEM, DER, PKCS#12 or JKS (default: the system's)")
    add("--ca-password-file", metavar="FILE", help="file with the password of the CA file")
    add("--expected-hostname", metavar="NAME", help="the host name in the server's certificate, if it is not HOST")


def settings_from(arguments: argparse.Namespace) -> Settings:
    """Return the configuration for these arguments. Arguments that do not fit together end the program (status 2).

    Afterwards, `arguments.names` has the names of the configuration's parts for error messages.

    Raises:
        NorthApiException: the configuration is incomplete or cannot be used (1006, 1007, 1008, 1010).
    """
    if arguments.platform_ip is not None:
        arguments.names = {**arguments.names, **OPTIONS}
        return _from_arguments(arguments)
    refuse_lonely(arguments, WITH_ADDRESS, "--platform-ip")
    if arguments.profile is not None:
        return load_profile(*_profile(arguments.profile))
    if arguments.emulator is not None:
        return load_profile(_emulator_profile(arguments))
    if any(os.environ.get(PREFIX + name) for name in ("PLATFORM_IP", "APP_ID")):
        arguments.names = {**arguments.names, **VARIABLES}
        return load_env()
    profile = _emulator_profile(arguments)
    print(f"iot-northbound: no platform is given, so the embedded one is used ({profile})", file=sys.stderr)
    return load_profile(profile)


def profile_of(arguments: argparse.Namespace) -> Path | None:
    """Return the file of the profile that `settings_from` reads; None if it does not read one."""
    if arguments.profile is not None:
        return Path(_profile(arguments.profile)[0]).expanduser()
    if arguments.platform_ip is not None:
        return None
    named = any(os.environ.get(PREFIX + name) for name in ("PLATFORM_IP", "APP_ID"))
    return None if named and arguments.emulator is None else _emulator_profile(arguments)


def refuse_lonely(arguments: argparse.Namespace, names: Sequence[str], beside: str) -> None:
    """End the program (status 2) if one of these arguments is given, because they need another one."""
    for name in names:
        if getattr(arguments, name) not in (None, [], False):
            arguments.refuse(f"--{name.replace('_', '-')} needs {beside}")


def read_secret(path: str | None) -> str | None:
    """Return the only line of a file with a secret; None if there is no path.

    Raises:
        InvalidArgumentError: it cannot be read, or is empty (1007).
    """
    if path is None:
        return None
    try:
        text = read_text(Path(path).expanduser()).rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise InvalidArgumentError(SdkCode.INVALID_ARGUMENT, f"{path} cannot be read: {reason}") from None
    if not text:
        raise InvalidArgumentError(SdkCode.INVALID_ARGUMENT, f"{path} is empty: it must contain the secret")
    return text


def _profile(text: str) -> tuple[str, str]:
    """Return file and table of FILE[:NAME]. If a file has this whole name, colon included, it is that file."""
    path, colon, name = text.rpartition(":")
    return (text, "default") if not colon or Path(text).expanduser().exists() else (path, name)


def _emulator_profile(arguments: argparse.Namespace) -> Path:
    try:
        profile = emulator_home(arguments.emulator) / "profile.toml"
    except ValueError as error:
        arguments.refuse(f"no platform: {error}")
    if not profile.is_file():
        arguments.refuse(
            f"no platform: there is no {profile}. Start `iot-northbound emulator`, or give a platform with --profile "
            "or --platform-ip"
        )
    return profile


def _from_arguments(arguments: argparse.Namespace) -> Settings:
    if arguments.app_id is None:
        arguments.refuse("--platform-ip needs --app-id")
    tls = SSLConfig(
        self_cert_path=arguments.cert,
        self_key_path=arguments.key,
        self_cert_alias=arguments.cert_alias,
        self_cert_pwd=read_secret(arguments.cert_password_file),
        trust_ca_path=arguments.ca,
        trust_ca_pwd=read_secret(arguments.ca_password_file),
        expected_hostname=arguments.expected_hostname,
    )
    secret = read_secret(arguments.secret_file) or os.environ.get(f"{PREFIX}SECRET")
    if not secret and sys.stdin.isatty():
        secret = getpass.getpass(f"secret of {arguments.app_id}: ")
    if not secret:
        arguments.refuse(f"the secret is missing: give --secret-file, or set {PREFIX}SECRET")
    info = ClientInfo(
        platform_ip=arguments.platform_ip,
        platform_port=arguments.platform_port or DEFAULT_PORT,
        app_id=arguments.app_id,
        secret=secret or "",
    )
    return Settings(info, tls, HttpConfig())
