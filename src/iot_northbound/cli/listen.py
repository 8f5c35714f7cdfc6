"""``iot-northbound listen``: receive what the platform pushes, and show it live."""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from iot_northbound.cli import values
from iot_northbound.cli.connection import add_arguments, read_secret, settings_from
from iot_northbound.errors import NorthApiException

if TYPE_CHECKING:
    from iot_northbound.config import Settings
    from iot_northbound.push import Event, PushMessageReceiver

_WIDEST = 100
_WITH_TLS_CERT = ("tls_key", "tls_key_password_file", "tls_client_ca")


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Add the subcommand."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "listen",
        help="receive pushes and show them live",
        description="Receive what the platform pushes, keep it in an inbox, and show one line a message until Ctrl-C. "
        "With --subscribe the platform is told to push here, and told to stop at the end.",
    )
    add = parser.add_argument
    add(
        "--host",
        metavar="HOST",
        default="127.0.0.1",
        help="address to listen on, 0.0.0.0 for every one (default: %(default)s)",
    )
    add(
        "--port",
        type=values.port_or_free,
        default=8686,
        metavar="PORT",
        help="port to listen on, 0 for a free one (default: %(default)s)",
    )
    add("--json", action="store_true", help="print one JSON object a line")
    add("--kind", action="append", metavar="KIND", help="show these kinds alone; repeatable, * stands for any text")
    add("--device", action="append", metavar="ID", help="show these devices alone; repeatable, * stands for any text")
    add("--inbox", type=Path, default=Path("iot-northbound-inbox.sqlite3"), metavar="FILE", help="where messages wait")
    add("--memory", action="store_true", help="keep messages in memory instead; what was not shown is lost at the end")
    tls = parser.add_argument_group("TLS of this receiver", "Without --tls-cert it speaks plain HTTP.")
    tls.add_argument("--tls-cert", metavar="PEM", help="this receiver's certificate, with its issuers'")
    tls.add_argument("--tls-key", metavar="PEM", help="its key, where it stands in a file of its own")
    tls.add_argument("--tls-key-password-file", metavar="FILE", help="holds the key's password")
    tls.add_argument("--tls-client-ca", metavar="PEM", help="CA of the platform's certificate, required from then on")
    who = parser.add_argument_group("who may post", "Everybody unless given.")
    who.add_argument("--client-name", action="append", default=[], metavar="NAME", help="name in the certificate")
    who.add_argument("--network", action="append", default=[], metavar="CIDR", help="network of the sender")
    who.add_argument("--path-secret-file", metavar="FILE", help="holds the first segment of the path to post to")
    subscribing = parser.add_argument_group("subscribing")
    subscribing.add_argument("--subscribe", action="store_true", help="subscribe at the start, unsubscribe at the end")
    subscribing.add_argument("--callback-url", metavar="URL", help="where the platform posts to, path secret included")
    add_arguments(parser, "platform to subscribe at")
    return parser


def run(arguments: argparse.Namespace) -> int:
    """Listen until SIGTERM or SIGINT; return 0, or 1 where it could not start."""
    from iot_northbound.push import InboxError
    from iot_northbound.serving import BindError

    try:
        return _listen(arguments)
    except (InboxError, BindError) as error:
        print(f"iot-northbound: {error}", file=sys.stderr)
        return 1


def _listen(arguments: argparse.Namespace) -> int:
    from iot_northbound.push import server_context

    given = [name for name in _WITH_TLS_CERT if getattr(arguments, name) is not None]
    if given and not arguments.tls_cert:
        arguments.refuse(f"--{given[0].replace('_', '-')} needs --tls-cert beside it")
    if arguments.subscribe and not arguments.callback_url and arguments.host in ("0.0.0.0", "::"):  # noqa: S104
        arguments.refuse(f"--subscribe needs --callback-url beside --host {arguments.host}: nobody can post there")
    settings = settings_from(arguments) if arguments.subscribe else None
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    context = None
    if arguments.tls_cert:
        password = read_secret(arguments.tls_key_password_file)
        context = server_context(
            arguments.tls_cert, arguments.tls_key, password=password, client_ca=arguments.tls_client_ca
        )
    secret = read_secret(arguments.path_secret_file)
    receiver = _receiver(arguments, secret, ended)
    with receiver.server(arguments.host, arguments.port, ssl=context) as server:
        url = arguments.callback_url or _with_secret(server.url, secret)
        with _subscribed(settings, arguments.kind, url) if settings else contextlib.nullcontext():
            # To stderr, as stdout is for the messages; and without the path secret.
            print(f"listening on {server.url}", file=sys.stderr, flush=True)
            ended.wait()
    return 0


def _receiver(arguments: argparse.Namespace, secret: str | None, ended: threading.Event) -> PushMessageReceiver:
    from iot_northbound.push import Access, MemoryInbox, PushMessageReceiver, SqliteInbox

    show = line_as_json if arguments.json else line
    shown = wanted(arguments.kind, arguments.device)
    inbox = MemoryInbox() if arguments.memory else SqliteInbox(arguments.inbox)
    access = Access(client_names=arguments.client_name, networks=arguments.network, path_secret=secret)
    # One thread, so that lines come in the order of arrival over all devices.
    receiver = PushMessageReceiver(inbox, access=access, threads=1)

    @receiver.on_body
    def print_one(_: str) -> None:
        event = receiver.event
        if not shown(event):
            return
        try:
            print(show(event), flush=True)
        except BrokenPipeError:
            ended.set()  # the reader is gone; raising keeps the message for the next start
            logging.getLogger("iot_northbound.push").disabled = True  # a reader that has read enough is no failure
            raise

    return receiver


def wanted(kinds: list[str] | None, devices: list[str] | None) -> Callable[[Event], bool]:
    """Return the test of the filters by kind and device."""
    return lambda event: _fits(event.kind, kinds) and _fits(event.device, devices)


def _fits(value: str, patterns: list[str] | None) -> bool:
    return not patterns or any(fnmatchcase(value, pattern) for pattern in patterns)


def line(event: Event) -> str:
    """Return a message as one line for a person: time of arrival, kind, device, the rest as JSON, cut."""
    rest = {key: value for key, value in event.raw.items() if key not in ("notifyType", "deviceId")}
    text = json.dumps(rest, ensure_ascii=False, separators=(",", ":"))
    if len(text) > _WIDEST:
        text = f"{text[:_WIDEST]}…"
    moment = f"{event.received_at.astimezone():%H:%M:%S}"
    return _printable(f"{moment} {event.kind or 'unknown'} {event.device or '-'} {text}")


def _printable(text: str) -> str:
    """Return a text that can neither steer the terminal nor break the line, whatever a device sent."""
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


def line_as_json(event: Event) -> str:
    """Return a message as one line for a program."""
    return json.dumps(
        {
            "receivedAt": event.received_at.isoformat(),
            "kind": event.kind,
            "device": event.device,
            "problem": event.problem,
            "message": event.raw,
        }
    )


@contextlib.contextmanager
def _subscribed(settings: Settings, patterns: list[str] | None, url: str) -> Iterator[None]:
    """Have the platform push here as long as the block runs."""
    from iot_northbound.client import NorthApiClient
    from iot_northbound.push import COMMAND_STATUS
    from iot_northbound.push.events import KINDS
    from iot_northbound.subscribing import subscribe

    # A command's status goes to the command's own callback URL: there is nothing to subscribe to.
    kinds = [kind for kind in KINDS if kind != COMMAND_STATUS and _fits(kind, patterns)]
    with NorthApiClient(*settings) as client:
        service = client.subscription_management
        try:
            changes = service.ensure(url, kinds)
        except NorthApiException:
            with contextlib.suppress(NorthApiException):  # the first error is the one to tell
                service.ensure(url, [])
            raise
        print(f"subscribed to {len(changes.kept) + len(changes.added)} kinds", file=sys.stderr, flush=True)
        for kind, other in changes.moved.items():
            # The host alone, as the rest of the URL may be a secret.
            print(f"{kind} leads to {urlsplit(other).hostname} again at the end", file=sys.stderr, flush=True)
        try:
            yield
        finally:
            try:
                service.ensure(url, [])
                for kind, other in changes.moved.items():
                    subscribe(service, kind, other)
            except NorthApiException as error:
                print(f"iot-northbound: the subscriptions are not as before: {error}", file=sys.stderr)


def _with_secret(url: str, secret: str | None) -> str:
    scheme, _, rest = url.partition("://")
    host, _, path = rest.partition("/")
    return url if secret is None else f"{scheme}://{host}/{secret}/{path}"
