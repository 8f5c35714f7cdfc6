"""``iot-northbound inbox``: what waits in an inbox, and its dead letters."""

from __future__ import annotations

import contextlib
import functools
import importlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import click

from iot_northbound.cli import values
from iot_northbound.cli.command import Group, refuse
from iot_northbound.cli.connection import default_profile, profile_named, read_secret
from iot_northbound.cli.context import Session, pass_session
from iot_northbound.cli.exits import Exit
from iot_northbound.cli.output import Column
from iot_northbound.cli.sharing import seconds
from iot_northbound.cli.wording import say

if TYPE_CHECKING:
    from iot_northbound.push import DeadLetter, Inbox
    from iot_northbound.push.inboxes.looking import FileView

group = Group(
    "inbox",
    help="Show an inbox, and repeat or delete its dead letters.\n\n"
    "status, list and show work while receivers and workers run; so do replay and discard on PostgreSQL. A file has "
    "one owner: to replay or discard, stop its receiver first.",
)


def _inbox_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the session and the URL of an inbox, with its options. An inbox fails in a sentence."""

    @click.option(
        "--inbox",
        metavar="URL",
        help="the inbox: a file, sqlite:/path or postgresql://host/database (default: IOT_NORTHBOUND_INBOX)",
    )
    @click.option(
        "--inbox-file",
        metavar="FILE",
        help="file with that URL, if it contains a password (default: IOT_NORTHBOUND_INBOX_FILE)",
    )
    @click.option(
        "--profile",
        metavar="FILE[:NAME]",
        help="a profile that names the inbox (default: IOT_NORTHBOUND_PROFILE, or the default file)",
    )
    @pass_session(platform=None)
    @functools.wraps(function)
    def run(session: Session, inbox: str | None, inbox_file: str | None, profile: str | None, **given: Any) -> Any:
        from iot_northbound.push import InboxError

        try:
            return function(session, _url(inbox, inbox_file, profile), **given)
        except (InboxError, ModuleNotFoundError) as error:
            say(f"iot-northbound: {error}")
            return Exit.FAILED

    return run


def _id(text: str) -> int:
    if not (text.isascii() and text.isdecimal()):
        raise click.BadParameter(f"{text!r} is not an id: `iot-northbound inbox list` lists them")
    return int(text)


_ids = click.argument("ids", type=_id, nargs=-1, metavar="ID...")


@group.command("status")
@_inbox_options
def status(session: Session, url: str) -> None:
    """Show how many messages wait, how old the oldest is, and how many dead letters there are."""
    from iot_northbound.push.inboxes.looking import FileView, owner_of

    with _viewed(url) as view:
        stats = view.stats()
        owner = owner_of(view.path) if isinstance(view, FileView) else None
        has_owner = isinstance(view, FileView)
    age = None if stats.oldest is None else max(time.time() - stats.oldest, 0.0)
    told = {"waiting": stats.waiting, "dead": stats.dead, "size": stats.size, "oldest_age": age}
    lines = {
        "waiting": f"{stats.waiting:,}" + ("" if age is None else f", the oldest for {seconds(age)}"),
        "dead letters": f"{stats.dead:,}",
        "size": f"{stats.size:,} bytes",
        "owner": "" if owner is None else f"process {owner}",
    }
    session.output.item(told | {"owner": owner} if has_owner else told, lines)


@group.command("list")
@click.option("--limit", type=values.whole, default="100", show_default=True, metavar="N", help="how many at most")
@_inbox_options
def list_(session: Session, url: str, limit: int) -> None:
    """List the oldest dead letters."""
    with _viewed(url) as view:
        letters = view.dead_letters(limit)
    as_shown = _for_people if session.output.for_people else _as_values
    session.output.rows(map(as_shown, letters), _COLUMNS)


@group.command("show")
@_ids
@_inbox_options
def show(session: Session, url: str, ids: tuple[int, ...]) -> Exit:
    """Show dead letters with their bodies."""
    _refuse_without(ids, "show needs the ids of dead letters")
    with _viewed(url) as view:
        found = [each for each in view.dead_letters(sys.maxsize) if each.id in ids]
    letters = [{**_as_values(each), "text": each.text} for each in found]
    if session.output.for_people:
        for each in letters:
            session.output.item(each)
    else:
        session.output.rows(letters, [*_COLUMNS, Column("body", "text")])
    missing = sorted(set(ids) - {each.id for each in found})
    if missing:
        say(f"iot-northbound: no dead letter has the id {', '.join(map(str, missing))}")
    return Exit.FAILED if missing else Exit.DONE


@group.command("replay")
@_ids
@click.option("--all", "every", is_flag=True, help="all dead letters")
@_inbox_options
def replay(session: Session, url: str, ids: tuple[int, ...], every: bool) -> Exit:
    """Give dead letters to the handlers again."""
    if bool(ids) == every:
        refuse("replay needs the ids of dead letters, or --all")
    with _opened(url) as inbox:
        unknown = [] if every else _unknown(inbox, ids)
        count = inbox.replay(None if every else list(ids))
    return _told(session, "replayed", count, unknown)


@group.command("discard")
@_ids
@_inbox_options
def discard(session: Session, url: str, ids: tuple[int, ...]) -> Exit:
    """Delete dead letters."""
    _refuse_without(ids, "discard needs the ids of dead letters")
    with _opened(url) as inbox:
        unknown = _unknown(inbox, ids)
        count = inbox.discard(list(ids))
    return _told(session, "discarded", count, unknown)


@group.command("adopt")
@click.argument("files", nargs=-1, metavar="FILE...")
@_inbox_options
def adopt(session: Session, url: str, files: tuple[str, ...]) -> None:
    """Take over the files that processes that are gone have left."""
    from iot_northbound.push.adopt import adopt_file

    _refuse_without(files, "adopt needs the files to take over")
    with _opened(url) as inbox:
        done = {file: adopt_file(file, inbox) for file in files}
    told = {file: {"moved": each.moved, "kept": each.kept} for file, each in done.items()}
    lines = {
        file: f"{each.moved} messages moved" + (f", {each.kept} dead letters stay in it" if each.kept else "")
        for file, each in done.items()
    }
    session.output.item(told, lines)


@group.command("init")
@click.option("--sql", is_flag=True, help="only print the statements, for a role that may make tables")
@_inbox_options
def init(session: Session, url: str, sql: bool) -> None:
    """Make the tables of a PostgreSQL inbox."""
    if urlsplit(url).scheme not in ("postgresql", "postgres"):
        refuse("init is for a PostgreSQL inbox; the others make what they need")
    inbox: Any = importlib.import_module("iot_northbound.push").open_inbox(url)
    if sql:
        click.echo(inbox.script(), nl=False)
        return
    inbox.prepare()
    session.output.item({"ready": True}, {"inbox": "its tables are there"})


_COLUMNS = (
    Column("id", "id"),
    Column("received", "received_at"),
    Column("kind", "kind"),
    Column("device", "device"),
    Column("tried", "attempts"),
    Column("error", "error"),
)


def _for_people(letter: DeadLetter) -> dict[str, Any]:
    moment = f"{letter.received_at.astimezone():%Y-%m-%d %H:%M:%S}"
    return _as_values(letter) | {"received_at": moment, "error": letter.error.partition("\n")[0]}


def _refuse_without(given: tuple[Any, ...], message: str) -> None:
    if not given:
        refuse(message)


def _unknown(inbox: Inbox, ids: tuple[int, ...]) -> list[int]:
    return sorted(set(ids) - {each.id for each in inbox.dead_letters(sys.maxsize)})


def _told(session: Session, done: str, count: int, unknown: list[int]) -> Exit:
    lines = {done: f"{count} dead letters", "not there": ", ".join(map(str, unknown))}
    session.output.item({done: count, "unknown": unknown}, lines)
    return Exit.FAILED if unknown else Exit.DONE


def _url(inbox: str | None, inbox_file: str | None, profile: str | None) -> str:
    given = {"--inbox": inbox, "--inbox-file": inbox_file, "--profile": profile}
    named = [name for name, value in given.items() if value is not None]
    if len(named) > 1:
        refuse(f"{named[0]} and {named[1]} are given: give only one of the two")
    url = inbox or read_secret(inbox_file)
    if profile is None:
        url = url or os.environ.get("IOT_NORTHBOUND_INBOX")
        url = url or read_secret(os.environ.get("IOT_NORTHBOUND_INBOX_FILE") or None)
    url = url or _url_in_profile(profile or os.environ.get("IOT_NORTHBOUND_PROFILE"))
    return url if ":" in url else f"sqlite:{url}"


def _url_in_profile(named: str | None) -> str:
    from iot_northbound.profiles import load_inbox_url

    if not named and not default_profile().is_file():
        refuse("no inbox: give --inbox, set IOT_NORTHBOUND_INBOX, or give a profile that has one")
    return load_inbox_url(*(profile_named(named) if named else (default_profile(), "default")))


def _file_of(url: str) -> Path | None:
    parts = urlsplit(url)
    return Path(unquote(parts.path)) if parts.scheme == "sqlite" else None


@contextlib.contextmanager
def _viewed(url: str) -> Iterator[FileView | Inbox]:
    """Yield what can be looked at beside the processes that use it."""
    from iot_northbound.push.inboxes.looking import FileView

    file = _file_of(url)
    if file is not None:
        yield FileView(file)
    else:
        with _opened(url) as inbox:
            yield inbox


@contextlib.contextmanager
def _opened(url: str) -> Iterator[Inbox]:
    """Yield an open inbox, that handles nothing."""
    from iot_northbound.push import InboxError, InboxInUseError, Leased, open_inbox
    from iot_northbound.push.inbox import as_inbox
    from iot_northbound.push.inboxes.looking import owner_of

    file = _file_of(url)
    if file is not None and not file.is_file():
        raise InboxError(f"there is no file {file}")
    inbox = as_inbox(open_inbox(url))
    if inbox is None or not inbox.durable:
        raise InboxError("this inbox keeps nothing that another process could see")
    try:
        if isinstance(inbox, Leased):
            inbox.start(None)
        else:
            inbox.start(lambda _id, _device: None)
    except InboxInUseError:
        owner = owner_of(file) if file is not None else None
        who = f"process {owner}" if owner else "another process"
        raise InboxInUseError(
            f"{file} belongs to {who}: stop it first, or call replay() and discard() of its receiver"
        ) from None
    try:
        yield inbox
    finally:
        inbox.stop()


def _as_values(letter: DeadLetter) -> dict[str, Any]:
    return {
        "id": letter.id,
        "kind": letter.kind,
        "device": letter.device,
        "received_at": letter.received_at.isoformat(),
        "attempts": letter.attempts,
        "error": letter.error,
    }
