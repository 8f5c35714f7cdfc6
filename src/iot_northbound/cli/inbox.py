"""``iot-northbound inbox``: what waits in an inbox, and its dead letters."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from iot_northbound.cli import values
from iot_northbound.cli.connection import read_secret, refuse_lonely
from iot_northbound.cli.parser import Parser
from iot_northbound.cli.sharing import seconds, show
from iot_northbound.cli.wording import printable
from iot_northbound.profiles import PREFIX

if TYPE_CHECKING:
    from iot_northbound.push import DeadLetter, Inbox
    from iot_northbound.push.inboxes.looking import FileView

_ACTIONS = {
    "status": "how many messages wait, how old the oldest is, how many dead letters there are",
    "dead": "list the oldest dead letters",
    "show": "show dead letters with their bodies: ID…",
    "replay": "give dead letters to the handlers again: ID…, or --all",
    "discard": "delete dead letters: ID…",
    "adopt": "take over the file that a process that is gone has left: FILE…",
    "init": "make the tables of a PostgreSQL inbox, or print them with --sql",
}
_WITH_IDS = ("show", "replay", "discard")


def add_parser(subparsers: Any) -> Parser:
    """Add the subcommand."""
    told = "; ".join(f"{name}: {what}" for name, what in _ACTIONS.items())
    parser: Parser = subparsers.add_parser(
        "inbox",
        help="show an inbox, and repeat or delete its dead letters",
        description=f"{told}. status, dead and show work while receivers and workers run; so do replay and discard on "
        "PostgreSQL. A file has one owner: to replay or discard, stop its receiver first.",
    )
    add = parser.add_argument
    add("action", choices=tuple(_ACTIONS), metavar="ACTION", help=f"what to do: {', '.join(_ACTIONS)}")
    add("what", nargs="*", metavar="ID|FILE", help="ids of dead letters, or files to adopt")
    inbox = parser.add_mutually_exclusive_group()
    inbox.add_argument(
        "--inbox",
        metavar="URL",
        help=f"the inbox: a file, sqlite:/path or postgresql://host/database (default: {PREFIX}INBOX)",
    )
    inbox.add_argument(
        "--inbox-file",
        metavar="FILE",
        help=f"file with that URL, if it contains a password (default: {PREFIX}INBOX_FILE)",
    )
    add("--all", action="store_true", help="with replay: all dead letters")
    add("--limit", type=values.whole, metavar="N", help="with dead: how many at most (default: 100)")
    add("--sql", action="store_true", help="with init: only print the statements, for a role that may make tables")
    add("--json", action="store_true", help="print JSON instead of lines")
    return parser


def run(arguments: argparse.Namespace) -> int:
    """Do what was asked; return 0, or 1 if an id is not there or the inbox cannot be used."""
    from iot_northbound.push import InboxError

    _refuse_what_does_not_fit(arguments)
    try:
        return _run(arguments, _url(arguments))
    except (InboxError, ModuleNotFoundError) as error:
        print(f"iot-northbound: {error}", file=sys.stderr)
        return 1


def _run(arguments: argparse.Namespace, url: str) -> int:
    if arguments.action == "init":
        return _init(arguments, url)
    if arguments.action in ("status", "dead", "show"):
        with _viewed(url) as view:
            return {"status": _status, "dead": _dead, "show": _show}[arguments.action](arguments, view)
    with _opened(url) as inbox:
        if arguments.action == "adopt":
            return _adopt(arguments, inbox)
        ids = None if arguments.all else [int(each) for each in arguments.what]
        there = [each.id for each in inbox.dead_letters(sys.maxsize)] if ids is not None else []
        unknown = sorted(set(ids or ()) - set(there))
        if arguments.action == "replay":
            count, done = inbox.replay(ids), "replayed"
        else:
            count, done = inbox.discard(ids or []), "discarded"
    lines = {done: f"{count} dead letters", "not there": ", ".join(map(str, unknown))}
    show(arguments, {done: count, "unknown": unknown}, lines)
    return 1 if unknown else 0


def _refuse_what_does_not_fit(arguments: argparse.Namespace) -> None:
    action = arguments.action
    for name, beside in (("all", "replay"), ("limit", "dead"), ("sql", "init")):
        if action != beside:
            refuse_lonely(arguments, (name,), beside)
    if action in _WITH_IDS:
        wrong = [each for each in arguments.what if not (each.isascii() and each.isdecimal())]
        if wrong:
            arguments.refuse(f"{wrong[0]!r} is not an id: `iot-northbound inbox dead` lists them")
        if bool(arguments.what) == arguments.all:
            arguments.refuse(f"{action} needs the ids of dead letters{', or --all' if action == 'replay' else ''}")
    elif action == "adopt":
        if not arguments.what:
            arguments.refuse("adopt needs the files to take over")
    elif arguments.what:
        arguments.refuse(f"unexpected argument: {arguments.what[0]!r}")


def _url(arguments: argparse.Namespace) -> str:
    url: str | None = arguments.inbox or read_secret(arguments.inbox_file)
    url = url or os.environ.get(f"{PREFIX}INBOX") or read_secret(os.environ.get(f"{PREFIX}INBOX_FILE") or None)
    if url is None:
        arguments.refuse(f"no inbox: give --inbox, or set {PREFIX}INBOX")
        return ""
    return str(url) if ":" in url else f"sqlite:{url}"


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


def _status(arguments: argparse.Namespace, view: FileView | Inbox) -> int:
    from iot_northbound.push.inboxes.looking import FileView, owner_of

    stats = view.stats()
    age = None if stats.oldest is None else max(time.time() - stats.oldest, 0.0)
    told = {"waiting": stats.waiting, "dead": stats.dead, "size": stats.size, "oldest_age": age}
    lines = {
        "waiting": f"{stats.waiting:,}" + ("" if age is None else f", the oldest for {seconds(age)}"),
        "dead letters": f"{stats.dead:,}",
        "size": f"{stats.size:,} bytes",
    }
    if isinstance(view, FileView):
        owner = owner_of(view.path)
        told["owner"] = owner
        lines["owner"] = "" if owner is None else f"process {owner}"
    show(arguments, told, lines)
    return 0


def _dead(arguments: argparse.Namespace, view: FileView | Inbox) -> int:
    letters = view.dead_letters(arguments.limit or 100)
    if arguments.json:
        print(json.dumps([_as_values(each) for each in letters], indent=2))
    for each in letters if not arguments.json else ():
        moment = f"{each.received_at.astimezone():%Y-%m-%d %H:%M:%S}"
        error = each.error.partition("\n")[0]
        print(
            printable(f"{each.id}  {moment}  {each.kind or 'unknown'}  {each.device or '-'}  {each.attempts}x  {error}")
        )
    return 0


def _show(arguments: argparse.Namespace, view: FileView | Inbox) -> int:
    wanted = {int(each) for each in arguments.what}
    found = [each for each in view.dead_letters(sys.maxsize) if each.id in wanted]
    if arguments.json:
        print(json.dumps([{**_as_values(each), "text": each.text} for each in found], indent=2))
    for each in found if not arguments.json else ():
        told = {**_as_values(each), "text": each.text}
        show(arguments, {}, {name: str(value) for name, value in told.items()})
    missing = sorted(wanted - {each.id for each in found})
    if missing:
        print(f"iot-northbound: no dead letter has the id {', '.join(map(str, missing))}", file=sys.stderr)
    return 1 if missing else 0


def _as_values(letter: DeadLetter) -> dict[str, Any]:
    return {
        "id": letter.id,
        "kind": letter.kind,
        "device": letter.device,
        "received_at": letter.received_at.isoformat(),
        "attempts": letter.attempts,
        "error": letter.error,
    }


def _adopt(arguments: argparse.Namespace, inbox: Inbox) -> int:
    from iot_northbound.push.adopt import adopt_file

    done = {str(file): adopt_file(file, inbox) for file in arguments.what}
    told = {file: {"moved": each.moved, "kept": each.kept} for file, each in done.items()}
    lines = {
        file: f"{each.moved} messages moved" + (f", {each.kept} dead letters stay in it" if each.kept else "")
        for file, each in done.items()
    }
    show(arguments, told, lines)
    return 0


def _init(arguments: argparse.Namespace, url: str) -> int:
    parts = urlsplit(url)
    if parts.scheme not in ("postgresql", "postgres"):
        arguments.refuse("init is for a PostgreSQL inbox; the others make what they need")
    inbox: Any = importlib.import_module("iot_northbound.push").open_inbox(url)
    if arguments.sql:
        print(inbox.script(), end="")
        return 0
    inbox.prepare()
    show(arguments, {"ready": True}, {"inbox": "its tables are there"})
    return 0
