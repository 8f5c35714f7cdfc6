"""`iot-northbound emulator`: the platform on this machine, until SIGTERM or Ctrl-C."""

from __future__ import annotations

import contextlib
import gc
import json
import resource
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click

from iot_northbound.cli import values
from iot_northbound.cli.call_log import CallLog
from iot_northbound.cli.calls.emulator import CONTROLS
from iot_northbound.cli.command import Group
from iot_northbound.cli.context import Session, pass_session
from iot_northbound.cli.exits import Exit
from iot_northbound.emulator_home import EMULATOR_FOLDER, emulator_home

_FULL_COLLECTION_EACH = 50
"""How many collections of middle-aged objects come before one of all objects; Python's default is 10."""


def _port_option(name: str, what: str, usual: str) -> Callable[[Any], Any]:
    more = f"0 for a free one (default: {usual})"
    return click.option(name, type=values.port_or_free, metavar="PORT", help=f"port {what}, {more}")


@click.group("emulator", cls=Group, lazy=CONTROLS, invoke_without_command=True)
@click.option("--host", metavar="HOST", default="127.0.0.1", show_default=True, help="address to listen on")
@_port_option("--port", "to listen on", "8743")
@_port_option("--control-port", "of the control plane", "8744, or a free one with --port 0")
@click.option("--no-control", is_flag=True, help="run without the control plane")
@_port_option("--mqtt-port", "for devices that speak MQTT", "8883, or a free one with --port 0")
@click.option("--no-mqtt", is_flag=True, help="run without the port for devices that speak MQTT")
@_port_option("--agentlite-port", "for AgentLite devices", "8943, or a free one with --port 0")
@_port_option("--hub-port", "for hubs that post XML", "not opened")
@click.option(
    "--codec",
    multiple=True,
    metavar="PRODUCT=MODULE:CLASS",
    help="codec of a product model (productId) whose devices send bytes and not JSON; may be given several times",
)
@click.option(
    "--home", type=Path, metavar="DIR", help=f"folder of certificates and profile (default: {EMULATOR_FOLDER})"
)
@click.option(
    "--data-dir", type=Path, metavar="DIR", help="folder to keep the state in (default: in memory, lost at the end)"
)
@click.option(
    "--callback-ca",
    type=Path,
    metavar="PEM",
    help="CA (PEM) to check receivers of pushes against (default: the emulator's own)",
)
@click.option(
    "--strict-x509",
    is_flag=True,
    help="accept only certificates of clients and receivers that keep every rule of RFC 5280",
)
@click.option(
    "--token-lifetime", type=values.whole, metavar="SECONDS", help="lifetime of an access token (default: 3600)"
)
@click.option(
    "--flow-control",
    type=values.whole,
    metavar="N",
    help="allow N calls per minute and per application (default: no limit)",
)
@click.option(
    "--transitions",
    type=click.Choice(("immediate", "timed", "manual")),
    help="when the steps of devices and tasks happen (default: immediate)",
)
@click.option("--log", is_flag=True, help="print a line for each call: time, method, path, status, duration")
@pass_session(platform=None, formats=("lines", "jsonl"))
def emulator(session: Session, **options: Any) -> Exit | None:
    """Run a platform on this machine.

    It has HTTPS with client certificates, ports for devices, and a control plane beside it. The commands below control
    an emulator that runs already.
    """
    if click.get_current_context().invoked_subcommand is not None:
        return None
    return _run(SimpleNamespace(**options, json=not session.output.for_people))


def _run(args: SimpleNamespace) -> Exit:
    # Imported here, so that the other commands do not need the emulator's libraries.
    from iot_northbound.emulator.durable import DataDirError
    from iot_northbound.emulator.mqtt import codecs
    from iot_northbound.emulator.server import Emulator
    from iot_northbound.serving import BindError

    settings: dict[str, Any] = {}
    if args.token_lifetime is not None:
        settings["token_lifetime"] = args.token_lifetime
    if args.flow_control is not None:
        settings |= {"flow_control": True, "calls_per_minute": args.flow_control}
    if args.transitions is not None:
        settings["transitions"] = args.transitions
    log = CallLog(sys.stdout.fileno(), as_json=args.json) if args.log else None
    try:
        platform = Emulator(
            args.host,
            8743 if args.port is None else args.port,
            control_port=None if args.no_control else _port(args, args.control_port, 8744),
            mqtt_port=None if args.no_mqtt else _port(args, args.mqtt_port, 8883),
            agentlite_port=_port(args, args.agentlite_port, 8943),
            hub_port=args.hub_port,
            codecs=dict(codecs.load(text) for text in args.codec),
            folder=emulator_home(args.home),
            data_dir=args.data_dir,
            callback_ca=args.callback_ca,
            strict_x509=args.strict_x509,
            on_call=log,
            **settings,
        )
        _allow_many_connections()
        with log or contextlib.nullcontext(), _rare_full_collections():
            platform.serve_forever(lambda: _announce(args, platform))
    except (BindError, DataDirError, ValueError, OSError) as error:
        return _fail(args, error.strerror if isinstance(error, BindError) and error.strerror else str(error))
    _announce_the_end(args)
    return Exit.DONE


def _announce_the_end(args: SimpleNamespace) -> None:
    state = f"the state is kept in {args.data_dir}" if args.data_dir else "the state was in memory and is lost"
    print(json.dumps({"event": "stopped"}) if args.json else f"stopped; {state}", file=sys.stderr, flush=True)


def _allow_many_connections() -> None:
    """Raise this process's limit of open files, which is often 1,024: each device has a connection."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


@contextlib.contextmanager
def _rare_full_collections() -> Iterator[None]:
    """Let the garbage collector look at everything seldom: nobody is answered meanwhile, with many rows for 0.1 s.

    Rows and connections that are gone leave it nothing to do.
    """
    young, middle, _ = before = gc.get_threshold()
    gc.collect()
    gc.freeze()  # the modules stay for ever
    gc.set_threshold(young, middle, _FULL_COLLECTION_EACH)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


def _port(args: SimpleNamespace, given: int | None, usual: int) -> int:
    if given is not None:
        return given
    return 0 if args.port == 0 else usual  # with a free port, several emulators may run side by side


def _announce(args: SimpleNamespace, emulator: Any) -> None:
    home = emulator.home
    facts = {
        "event": "ready",
        "url": emulator.base_url,
        "control": emulator.control_url,
        "console": emulator.console_link() if emulator.control_url else None,
        "mqtt": emulator.mqtt_url,
        "agentlite": emulator.agentlite_url,
        "hub": emulator.hub_url,
        "appId": emulator.app_id,
        # Shown once, when it was made. From then on it is in the profile, which only its owner can read.
        "secret": emulator.secret if home.is_new else None,
        "profile": str(emulator.profile_path),
        "ca": str(home.ca),
        "deviceCa": str(emulator.device_ca),
        "clientCertificate": str(home.client_p12),
        "dataDir": str(args.data_dir) if args.data_dir else None,
    }
    if args.json:
        print(json.dumps(facts), flush=True)
        return
    lines = [
        ("platform", facts["url"]),
        ("control plane", facts["control"] or "none"),
        ("console, once", facts["console"] or "none"),
        ("mqtt", facts["mqtt"] or "none"),
        ("agentlite", facts["agentlite"] or "none"),
        ("hub", facts["hub"] or "none"),
        ("application id", facts["appId"]),
        ("secret", facts["secret"] or f"as before, in {facts['profile']}"),
        ("profile", facts["profile"]),
        ("CA", facts["ca"]),
        ("CA for devices", facts["deviceCa"]),
        ("client certificate", facts["clientCertificate"]),
        ("state", facts["dataDir"] or "in memory"),
    ]
    for name, value in lines:
        print(f"{name:<20}{value}")
    print("ready", flush=True)


def _fail(args: SimpleNamespace, message: str) -> Exit:
    print(
        json.dumps({"event": "error", "error": message}) if args.json else f"iot-northbound: {message}", file=sys.stderr
    )
    return Exit.FAILED
