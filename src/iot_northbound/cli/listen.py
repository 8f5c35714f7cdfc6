"""``iot-northbound listen``: receive what the platform pushes, and show it live."""

from __future__ import annotations

import contextlib
import json
import logging
import math
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click

from iot_northbound.cli import values
from iot_northbound.cli.command import Command, in_section, refuse
from iot_northbound.cli.connection import SOURCES, WITH_ADDRESS, read_secret, refuse_alone
from iot_northbound.cli.context import Session, pass_session
from iot_northbound.cli.ending import ended_by_signals, wait_for_end
from iot_northbound.cli.exits import Exit
from iot_northbound.cli.forwarding import Forwarded, Forwarder, ForwardUrl, NotTakenError
from iot_northbound.cli.wording import printable, say
from iot_northbound.core.signal_safe import Flag
from iot_northbound.core.suggest import did_you_mean
from iot_northbound.errors import NorthApiException

if TYPE_CHECKING:
    from iot_northbound.config import Settings
    from iot_northbound.push import Event, PushMessageReceiver

_NOT_ASCII = re.compile(r"[^\x00-\x7f]+")
_WIDEST = 100
"""Characters of a message that a line on a terminal shows."""
_DRAIN, _DRAIN_FORWARDING = 30.0, 2.0
"""Seconds that messages have at the end. An application that does not answer must not hold the command."""
_WITH_TLS_CERT = ("tls_key", "tls_key_password_file", "tls_client_ca")
_NAMES = {
    "client_names": "--client-name",
    "networks": "--network",
    "path_secret": "--path-secret-file",
    "receiver_url": "--callback-url",
}
"""The names of the receiver's parts in error messages."""


def _kinds() -> tuple[str, ...]:
    # Here, so that the other commands do not load all those classes.
    from iot_northbound.push.events import KINDS

    return tuple(KINDS)


_TLS = "TLS of this receiver (without --tls-cert, it speaks plain HTTP)"
_WHO = "who may post (without these options, everybody may)"
_SUBSCRIBING = "subscribing"


@click.command("listen", cls=Command, more_help=lambda: f"Kinds: {', '.join(_kinds())}.")
@click.option(
    "--host",
    metavar="HOST",
    default="127.0.0.1",
    show_default=True,
    help="address to listen on; 0.0.0.0 means every address of this machine",
)
@click.option(
    "--port",
    type=values.port_or_free,
    default="8686",
    metavar="PORT",
    show_default=True,
    help="port to listen on; 0 takes a free one",
)
@click.option(
    "--kind",
    multiple=True,
    metavar="KIND",
    help="show only these kinds (see below); repeatable, * means any text",
)
@click.option("--device", multiple=True, metavar="ID", help="show only these devices; repeatable, * means any text")
@click.option(
    "--inbox",
    type=Path,
    default="iot-northbound-inbox.sqlite3",
    metavar="FILE",
    show_default=True,
    help="file in which messages wait",
)
@click.option(
    "--forward-to",
    type=ForwardUrl(),
    metavar="URL",
    help="post each push to this application, until it answers 2xx; an application may get a push twice",
)
@click.option("--memory", is_flag=True, help="keep messages in memory only; what was not shown is lost at the end")
@in_section(_TLS, "--tls-cert", metavar="PEM", help="this receiver's certificate, followed by those of its issuers")
@in_section(_TLS, "--tls-key", metavar="PEM", help="its key, if it is in a separate file")
@in_section(_TLS, "--tls-key-password-file", metavar="FILE", help="file with the key's password")
@in_section(_TLS, "--tls-client-ca", metavar="PEM", help="CA of the platform's certificate, which is then required")
@in_section(
    _TLS,
    "--tls-strict-x509",
    is_flag=True,
    help="accept the platform's certificate only if it and its CA follow every rule of RFC 5280",
)
@in_section(
    _WHO,
    "--client-name",
    multiple=True,
    metavar="NAME",
    help="name that the platform's certificate must have (needs --tls-client-ca)",
)
@in_section(_WHO, "--network", multiple=True, metavar="CIDR", help="network of the sender's address")
@in_section(_WHO, "--path-secret-file", metavar="FILE", help="file with the secret first segment of the path")
@in_section(_SUBSCRIBING, "--subscribe", is_flag=True, help="subscribe at the start, unsubscribe at the end")
@in_section(_SUBSCRIBING, "--callback-url", metavar="URL", help="URL for the platform, including the path secret")
@pass_session(platform="platform to subscribe at", formats=("lines", "jsonl"))
def listen(session: Session, **options: Any) -> Exit:
    """Receive what the platform pushes, and show it live.

    Messages are kept in an inbox, and each is shown on one line, until Ctrl-C. With --subscribe, the platform pushes
    here: the command subscribes at the start, and unsubscribes at the end.

    With --forward-to, each push is posted to an application too, and its line shows the answer. The platform gets its
    answer at once; the push stays in the inbox until the application answers 2xx. After five more tries in half a
    minute it is a dead letter: `iot-northbound inbox replay` sends it again.
    """
    from iot_northbound.push import InboxError
    from iot_northbound.serving import BindError

    try:
        return _listen(session, SimpleNamespace(**options))
    except (InboxError, BindError) as error:
        say(f"iot-northbound: {error}")
        return Exit.FAILED


def _listen(session: Session, arguments: SimpleNamespace) -> Exit:
    from iot_northbound.push import server_context

    _refuse_what_does_not_fit(session, arguments)
    session.names |= _NAMES
    settings = session.settings if arguments.subscribe else None
    ended = ended_by_signals()
    context = None
    if arguments.tls_cert:
        password = read_secret(arguments.tls_key_password_file)
        context = server_context(
            arguments.tls_cert,
            arguments.tls_key,
            password=password,
            client_ca=arguments.tls_client_ca,
            strict_x509=arguments.tls_strict_x509,
        )
    secret = read_secret(arguments.path_secret_file)
    receiver = _receiver(session, arguments, secret, ended)
    drain = _DRAIN_FORWARDING if arguments.forward_to else _DRAIN
    with receiver.server(arguments.host, arguments.port, ssl=context, drain=drain) as server:
        url = arguments.callback_url or _with_secret(server.url, secret)
        with _subscribed(settings, arguments.kind, url) if settings else contextlib.nullcontext():
            say("inbox in memory" if arguments.memory else f"inbox {arguments.inbox.absolute()}")
            say(f"listening on {server.url}")  # without the path secret
            wait_for_end(ended)
    say(f"stopped; {summary(receiver, kept=not arguments.memory)}")
    return Exit.DONE


def summary(receiver: PushMessageReceiver, *, kept: bool) -> str:
    """Say what became of the pushes of a receiver that has stopped; `kept` if its inbox is a file."""
    inbox = receiver.inbox
    stats = inbox.stats() if inbox is not None else None
    waiting, dead = (stats.waiting, stats.dead) if stats is not None else (0, 0)
    handled = f"{receiver.metrics().handled:,} handled"
    if not kept:
        return f"{handled}, {waiting + dead:,} lost"
    letters = f", {dead:,} dead (`iot-northbound inbox` shows and repeats them)" if dead else ""
    return f"{handled}, {waiting:,} waiting for the next start{letters}"


def _refuse_what_does_not_fit(session: Session, arguments: SimpleNamespace) -> None:
    def refuse_some_alone(names: Iterable[str], beside: str) -> None:
        refuse_alone({name: getattr(arguments, name) for name in names}, beside)

    if not arguments.tls_cert:
        refuse_some_alone(_WITH_TLS_CERT, "--tls-cert")
    if not arguments.tls_client_ca:
        # Without it, the platform shows no certificate.
        refuse_some_alone(("client_name", "tls_strict_x509"), "--tls-client-ca")
    if not arguments.subscribe:
        refuse_some_alone(["callback_url"], "--subscribe")
        if session.connection is not None:
            session.connection.refuse_alone((*SOURCES, *WITH_ADDRESS), "--subscribe")
    elif not arguments.callback_url and arguments.host in ("0.0.0.0", "::"):  # noqa: S104 - compared, not bound
        refuse(f"--subscribe with --host {arguments.host} needs --callback-url: nobody can post there")
    known = _kinds()
    for kind in arguments.kind or ():
        if not any(_fits(each, [kind]) for each in known):
            refuse(f"--kind: there is no {kind!r} (--help lists all){did_you_mean(kind, known)}")
    if arguments.subscribe and not _subscribable(arguments.kind):
        refuse("--kind leaves nothing to subscribe to: each command has its own callback URL for its status")


def _subscribable(patterns: Sequence[str] | None) -> list[str]:
    """Return the kinds to subscribe to. A command's status is not one: it goes to the command's own callback URL."""
    from iot_northbound.push import COMMAND_STATUS

    return [kind for kind in _kinds() if kind != COMMAND_STATUS and _fits(kind, patterns)]


def _receiver(session: Session, arguments: SimpleNamespace, secret: str | None, ended: Flag) -> PushMessageReceiver:
    from iot_northbound.push import Access, MemoryInbox, PushMessageReceiver, SqliteInbox

    widest = _WIDEST if sys.stdout.isatty() else None
    show = partial(line, widest=widest) if session.output.for_people else line_as_json
    shown = wanted(arguments.kind, arguments.device)
    inbox = MemoryInbox() if arguments.memory else SqliteInbox(arguments.inbox)
    access = Access(client_names=arguments.client_name, networks=arguments.network, path_secret=secret)
    forwarder = None
    if arguments.forward_to:
        say(f"forwarding to {_address(arguments.forward_to)}")
        forwarder = Forwarder(arguments.forward_to)
        # What the application did not take has a line of its own.
        logging.getLogger("iot_northbound.push").setLevel(logging.CRITICAL)
    # One thread, so that the lines of all devices are in the order of arrival. An application may be slow.
    receiver = PushMessageReceiver(inbox, access=access, threads=8 if forwarder else 1)

    @receiver.on_body
    def print_one(_: str) -> None:
        event = receiver.event
        if not shown(event):
            return
        answer = forwarder.forward(event) if forwarder else None
        try:
            print(f"{show(event, answer)}\n", end="", flush=True)  # in one piece, beside other threads
        except BrokenPipeError:
            ended.set()  # the reader is gone; the error keeps the message for the next start
            logging.getLogger("iot_northbound.push").disabled = True  # a reader that has read enough is not a failure
            raise
        if answer is not None and not answer.taken:
            raise NotTakenError(answer.words)

    return receiver


def wanted(kinds: Sequence[str] | None, devices: Sequence[str] | None) -> Callable[[Event], bool]:
    """Return a function that applies the filters by kind and device."""
    return lambda event: _fits(event.kind, kinds) and _fits(event.device, devices)


def _fits(value: str, patterns: Sequence[str] | None) -> bool:
    return not patterns or any(fnmatchcase(value, pattern) for pattern in patterns)


def line(event: Event, answer: Forwarded | None = None, widest: int | None = None) -> str:
    """Return a message as one line for a person: time of arrival, kind, device, then the rest as JSON, data first.

    `answer` is that of an application, and `widest` how many characters of the JSON are shown.
    """
    text = event.text.strip()
    if not event.is_probe:
        raw = json.loads(event.text, parse_float=_shown)
        rest = {key: value for key, value in raw.items() if key not in ("notifyType", "deviceId")}
        text = json.dumps(_data_first(rest), ensure_ascii=False, separators=(",", ":"))
    if widest is not None and len(text) > widest:
        text = f"{text[:widest]}…"
    moment = f"{event.received_at.astimezone():%H:%M:%S}"
    kind = "probe" if event.is_probe else event.kind or "unknown"
    forwarded = f"-> {answer.words} " if answer is not None else ""
    return printable(f"{moment} {kind} {event.device or '-'} {forwarded}{text}")


def _shown(number: str) -> float | str:
    """Return a number, or its digits if it is too large for a float: JSON has no infinity."""
    return float(number) if math.isfinite(float(number)) else number


def _data_first(value: Any) -> Any:
    """Return JSON with its nested values first: data is nested, ids and times are not."""
    if isinstance(value, list):
        return [_data_first(each) for each in value]
    if not isinstance(value, dict):
        return value
    return {
        key: _data_first(each)
        for key, each in sorted(value.items(), key=lambda item: not isinstance(item[1], dict | list))
    }


def line_as_json(event: Event, answer: Forwarded | None = None) -> str:
    """Return a message as one line for a program, with every digit as it came."""
    head: dict[str, Any] = {
        "receivedAt": event.received_at.isoformat(),
        "kind": event.kind,
        "device": event.device,
        "problem": event.problem,
    }
    if answer is not None:
        head["forwarded"] = {"status": answer.status, "ms": answer.ms, "error": answer.error, "attempt": event.attempt}
    message = json.dumps(event.text.strip()) if event.is_probe else _on_one_line(event.text)
    return f'{json.dumps(head)[:-1]}, "message": {message}}}'


def _on_one_line(text: str) -> str:
    """Return JSON on one line and in ASCII. Only blanks between its parts and letters in texts change."""
    plain = " ".join(text.split("\n")).replace("\r", " ").strip()
    return plain if plain.isascii() else _NOT_ASCII.sub(lambda found: json.dumps(found[0])[1:-1], plain)


@contextlib.contextmanager
def _subscribed(settings: Settings, patterns: Sequence[str] | None, url: str) -> Iterator[None]:
    """Let the platform push here while the block runs."""
    from iot_northbound.client import NorthApiClient
    from iot_northbound.services.subscribing import subscribe

    with NorthApiClient(*settings) as client:
        service = client.subscription_management
        try:
            changes = service.ensure(url, _subscribable(patterns))
        except NorthApiException:
            with contextlib.suppress(NorthApiException):  # the first error is the one to report
                service.ensure(url, [])
            raise
        say(f"subscribed to {len(changes.kept) + len(changes.added)} kinds")
        for kind, other in changes.moved.items():
            say(f"{kind} went to {_address(other)}, and will go there again at the end")
        try:
            yield
        finally:
            try:
                ended = service.ensure(url, []).removed
                for kind, other in changes.moved.items():
                    subscribe(service, kind, other)
            except NorthApiException as error:
                say(f"iot-northbound: the former subscriptions could not be restored: {error}")
            else:
                say(f"unsubscribed from {len(ended)} kinds")


def _address(url: str) -> str:
    """Return only the host and port of a URL: its path and its user may be secrets."""
    return urlsplit(url).netloc.rpartition("@")[2]


def _with_secret(url: str, secret: str | None) -> str:
    scheme, _, rest = url.partition("://")
    host, _, path = rest.partition("/")
    return url if secret is None else f"{scheme}://{host}/{secret}/{path}"
