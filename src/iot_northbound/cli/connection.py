"""The arguments that name a platform, shared by the subcommands that call one."""

import argparse
import getpass
import os
import sys
from pathlib import Path

from iot_northbound.config import PREFIX, ClientInfo, HttpConfig, Settings, load_env, load_profile
from iot_northbound.errors import InvalidArgumentError, SdkCode
from iot_northbound.ssl_config import EMULATOR_FOLDER, SSLConfig


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add them to a subcommand's parser."""
    group = parser.add_argument_group(
        "platform",
        "A profile, or an address with credentials, or the variables IOT_NORTHBOUND_…, or the embedded platform "
        "(in this order). The secret is read from a file, from IOT_NORTHBOUND_SECRET, or asked for: an argument "
        "would show in the process list.",
    )
    group.add_argument("--profile", metavar="FILE[:NAME]", help="a TOML profile; NAME is its table, default: default")
    group.add_argument("--emulator", metavar="DIR", nargs="?", const=EMULATOR_FOLDER, help="the embedded platform")
    group.add_argument("--platform-ip", metavar="HOST")
    group.add_argument("--platform-port", metavar="PORT", type=int, default=8743)
    group.add_argument("--app-id", metavar="ID")
    group.add_argument("--secret-file", metavar="FILE")
    group.add_argument("--cert", metavar="FILE", help="client certificate: PEM, DER or PKCS#12")
    group.add_argument("--key", metavar="FILE", help="its key, where it stands in a file of its own")
    group.add_argument("--cert-password-file", metavar="FILE")
    group.add_argument("--ca", metavar="FILE", help="CAs to trust: PEM, DER, PKCS#12 or JKS")
    group.add_argument("--ca-password-file", metavar="FILE")
    group.add_argument("--expected-hostname", metavar="NAME", help="what the server's certificate names, if not HOST")


def settings_from(arguments: argparse.Namespace) -> Settings:
    """Return the configuration the arguments name.

    Raises:
        NorthApiException: it is incomplete or cannot be used (1006, 1007, 1008, 1010).
    """
    if arguments.profile:
        path, name = _profile(arguments.profile)
        return load_profile(path, name)
    if arguments.platform_ip:
        return _from_arguments(arguments)
    if arguments.emulator:
        return load_profile(Path(arguments.emulator).expanduser() / "profile.toml")
    if os.environ.get(f"{PREFIX}PLATFORM_IP"):
        return load_env()
    emulator = Path(os.environ.get(f"{PREFIX}EMULATOR_HOME") or EMULATOR_FOLDER).expanduser() / "profile.toml"
    if emulator.is_file():
        print(f"iot-northbound: no platform given, taking the embedded one ({emulator})", file=sys.stderr)
        return load_profile(emulator)
    raise InvalidArgumentError(
        SdkCode.CLIENT_INFO,
        "no platform is named: give --profile, or --platform-ip with --app-id, or start `iot-northbound emulator`",
    )


def _profile(text: str) -> tuple[str, str]:
    """Return file and table of FILE[:NAME]; a file whose own name has a colon goes first."""
    path, colon, name = text.rpartition(":")
    return (text, "default") if not colon or Path(text).exists() else (path, name)


def _from_arguments(arguments: argparse.Namespace) -> Settings:
    tls = SSLConfig(
        self_cert_path=arguments.cert,
        self_key_path=arguments.key,
        self_cert_pwd=_secret(arguments.cert_password_file),
        trust_ca_path=arguments.ca,
        trust_ca_pwd=_secret(arguments.ca_password_file),
        expected_hostname=arguments.expected_hostname,
    )
    secret = _secret(arguments.secret_file) or os.environ.get(f"{PREFIX}SECRET")
    if not secret and sys.stdin.isatty():
        secret = getpass.getpass(f"secret of {arguments.app_id}: ")
    info = ClientInfo(
        platform_ip=arguments.platform_ip,
        platform_port=arguments.platform_port,
        app_id=arguments.app_id,
        secret=secret or "",
    )
    return Settings(info, tls, HttpConfig())


def _secret(path: str | None) -> str | None:
    if path is None:
        return None
    try:
        return Path(path).expanduser().read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise InvalidArgumentError(SdkCode.INVALID_ARGUMENT, f"{path} cannot be read: {reason}") from None
