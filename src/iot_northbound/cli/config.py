"""``iot-northbound config``: make a profile, and show which configuration the commands use."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from iot_northbound.cli import values
from iot_northbound.cli.command import Group, refuse
from iot_northbound.cli.connection import Connection, Secrets, profile_named
from iot_northbound.cli.context import Session, pass_session
from iot_northbound.cli.exits import Exit
from iot_northbound.cli.output import Column

if TYPE_CHECKING:
    from iot_northbound.config import Settings

config = Group("config", help="Make a profile, and show which configuration the commands use.")


@config.command("init")
@click.option("--store", type=click.Choice(("keyring", "file")), help="where secrets are kept (see above)")
@click.option("--no-test", is_flag=True, help="write the profile without trying it")
@click.option("--force", is_flag=True, help="replace the table if the profile has it already")
@pass_session(platform="what the profile says", formats=())
def init(session: Session, store: str | None, no_test: bool, force: bool) -> Exit:
    """Make a profile, try it, and write it.

    On a terminal, the command asks for what the options do not say. It tries the profile as basic-test does, and writes
    it if every step passes. --profile says where: FILE[:NAME], or the NAME of a table of the default file.

    Secrets are kept in the keyring of the operating system (this needs the extra keyring), or in the profile, which
    only its owner can read. Without --store, the command asks on a terminal, and takes the profile otherwise.
    """
    from iot_northbound.cli import profile_file

    given = session.connection or Connection()
    if given.emulator is not None:
        refuse("the emulator writes a profile by itself: give --emulator to the other commands")
    file, name = profile_named(given.profile) if given.profile is not None else profile_named("default")
    asks = sys.stdin.isatty()
    if profile_file.has_table(file, name) and not force:
        if not asks:
            refuse(f"{file} has a table [{name}] already: give --force to replace it, or another --profile")
        click.confirm(f"{file} has a table [{name}] already. Replace it?", abort=True, err=True)
    given, secrets = _asked(replace(given, profile=None)) if asks else (replace(given, profile=None), Secrets.of(given))
    if given.platform_ip is None:
        refuse("--platform-ip is missing: give it, or run the command on a terminal, where it asks")
    settings = given.settings_with(secrets, session.names)
    if not no_test and not _passes(session, settings):
        told = "Nothing was written. Correct what the failed step names, or give --no-test"
        if not (asks and click.confirm("The check failed. Write the profile all the same?", err=True)):
            session.output.note(told)
            return Exit.FAILED
    in_keyring = store == "keyring" or (store is None and asks and _wants_keyring())
    profile_file.write(file, name, settings, in_keyring=in_keyring)
    where = "the keyring has its secrets" if in_keyring else "it contains its secrets, and only you can read it"
    session.output.note(f"wrote [{name}] to {file}; {where}")
    return Exit.DONE


def _asked(given: Connection) -> tuple[Connection, Secrets]:
    """Return the options with the answers to what they do not say."""

    def ask(text: str, value: Any, **settings: Any) -> Any:
        return value if value is not None else click.prompt(text, err=True, **settings) or None

    def optional(text: str, value: str | None, hide: bool = False) -> str | None:
        answer = ask(f"{text} (Enter: none)", value, default="", show_default=False, hide_input=hide)
        return None if answer is None else str(answer)

    given = replace(
        given,
        platform_ip=ask("host name or IP address of the platform", given.platform_ip),
        platform_port=ask("port", given.platform_port, default="8743", value_proc=values.port),
        app_id=ask("application id", given.app_id),
    )
    secret = Secrets.of(given).secret or click.prompt("secret of the application", hide_input=True, err=True)
    given = replace(
        given,
        ca=optional("file of the CAs to trust instead of the system's", given.ca),
        cert=optional("file of the client certificate", given.cert),
    )
    secrets = replace(Secrets.of(given), secret=secret)
    if given.cert is not None:
        given = replace(given, key=optional("file of its key, if that is another one", given.key))
        if secrets.cert_password is None:
            secrets = replace(secrets, cert_password=optional("password of the certificate's file", None, hide=True))
    host = optional("host name in the server's certificate, if it is another one", given.expected_hostname)
    return replace(given, expected_hostname=host), secrets


def _passes(session: Session, settings: Settings) -> bool:
    import attrs

    from iot_northbound.basic_test import BasicTest, Step

    say = session.in_words

    def show(step: Step) -> None:
        step = attrs.evolve(step, detail=say(step.detail), cause=say(step.cause), remedy=say(step.remedy))
        for line in step.line().split("\n"):
            session.output.note(line)

    info, tls, http, _ = settings
    http = attrs.evolve(http, max_attempts=1)
    report = BasicTest.begin_basic_test(
        info.platform_ip, info.platform_port, info.app_id, info.secret, tls, http=http, on_step=show
    )
    return report.passed


def _wants_keyring() -> bool:
    from iot_northbound.cli.profile_file import keyring_name

    name = keyring_name()
    return bool(name) and click.confirm(f"Keep the secrets in the keyring ({name})?", default=True, err=True)


@config.command("show")
@pass_session()
def show(session: Session) -> None:
    """Show the configuration that the commands use, and where each value comes from. Secrets are masked."""
    session.output.rows(_shown(session), (Column("key", "key"), Column("value", "value"), Column("from", "from")))


def _shown(session: Session) -> Iterator[dict[str, str]]:
    import attrs

    from iot_northbound.profiles import SECTIONS

    settings = session.settings
    given = _sources(session)
    for section, part in zip(SECTIONS, settings, strict=True):
        fields = attrs.fields_dict(section.cls)
        for name in section.kinds() if part is not None else ():
            value = getattr(part, name)
            source = next((text for key, text in given.items() if key in (name, f"{name}_file", f"{name}_keyring")), "")
            if value is None and not source:
                continue
            mask = fields[name].repr
            shown = _text(value) if isinstance(mask, bool) else mask(value).strip("'")
            yield {"key": name, "value": shown, "from": source or "default"}


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return {"TLSv1_2": "1.2", "TLSv1_3": "1.3"}.get(getattr(value, "name", ""), str(value))


def _sources(session: Session) -> dict[str, str]:
    """Return where each value that is given comes from, by its key."""
    import tomllib

    from iot_northbound.cli.wording import OPTIONS
    from iot_northbound.core.textfiles import read_text

    source = (session.connection or Connection()).source()
    if source == "options":
        return {name: option for name, option in OPTIONS.items() if name.islower()}
    if isinstance(source, str):
        prefix = "IOT_NORTHBOUND_"
        return {
            name.removeprefix(prefix).lower(): name
            for name, value in os.environ.items()
            if name.startswith(prefix) and value
        }
    file, table = source
    keys: dict[str, Any] = tomllib.loads(read_text(file))[table]
    place = f"{file} [{table}]"
    told = {}
    for key, value in keys.items():
        kind = key.rpartition("_")[2]
        where = {"file": f", file {value}", "keyring": f", entry {value!r} of the keyring"}.get(kind, "")
        told[key] = place + where
    return told
