"""`iot-northbound emulator`: the platform on this machine, until SIGTERM or Ctrl-C."""

from __future__ import annotations

import argparse
import contextlib
import json
import resource
import sys
from pathlib import Path
from typing import Any

from iot_northbound.cli import values
from iot_northbound.cli.parser import Parser
from iot_northbound.emulator_home import EMULATOR_FOLDER, emulator_home


def add_parser(subparsers: Any) -> Parser:
    """Add the subcommand to a command line and return its parser."""
    parser: Parser = subparsers.add_parser(
        "emulator",
        help="run a platform on this machine",
        description="Run a platform on this machine: HTTPS with client certificates, ports for devices, and a control "
        "plane beside it.",
    )
    add = parser.add_argument
    add("--host", metavar="HOST", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    add(
        "--port",
        type=values.port_or_free,
        default=8743,
        metavar="PORT",
        help="port to listen on, 0 for a free one (default: %(default)s)",
    )
    add(
        "--control-port",
        type=values.port_or_free,
        metavar="PORT",
        help="port of the control plane, 0 for a free one (default: 8744, or a free one with --port 0)",
    )
    add("--no-control", action="store_true", help="run without the control plane")
    add(
        "--mqtt-port",
        type=values.port_or_free,
        metavar="PORT",
        help="port for devices that speak MQTT, 0 for a free one (default: 8883, or a free one with --port 0)",
    )
    add("--no-mqtt", action="store_true", help="run without the port for devices that speak MQTT")
    add(
        "--agentlite-port",
        type=values.port_or_free,
        metavar="PORT",
        help="port for AgentLite devices, 0 for a free one (default: 8943, or a free one with --port 0)",
    )
    add(
        "--hub-port",
        type=values.port_or_free,
        metavar="PORT",
        help="port for hubs that post XML, 0 for a free one (default: not opened)",
    )
    add(
        "--codec",
        action="append",
        default=[],
        metavar="PRODUCT=MODULE:CLASS",
        help="codec of a product model (productId) whose devices send bytes and not JSON; may be given several times",
    )
    add(
        "--home",
        type=Path,
        metavar="DIR",
        help=f"folder of certificates and profile (default: {EMULATOR_FOLDER})",
    )
    add(
        "--data-dir",
        type=Path,
        metavar="DIR",
        help="folder to keep the state in (default: in memory, lost at the end)",
    )
    add(
        "--callback-ca",
        type=Path,
        metavar="PEM",
        help="CA (PEM) to check receivers of pushes against (default: the emulator's own)",
    )
    add(
        "--strict-x509",
        action="store_true",
        help="accept only certificates of clients and receivers that keep every rule of RFC 5280",
    )
    add("--token-lifetime", type=values.whole, metavar="SECONDS", help="lifetime of an access token (default: 3600)")
    add(
        "--flow-control",
        type=values.whole,
        metavar="N",
        help="allow N calls per minute and per application (default: no limit)",
    )
    add(
        "--transitions",
        choices=("immediate", "timed", "manual"),
        help="when the steps of devices and tasks happen (default: immediate)",
    )
    add("--json", action="store_true", help="print one JSON object per line")
    return parser


def run(args: argparse.Namespace) -> int:
    """Run until a signal comes; return the exit status."""
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
    try:
        emulator = Emulator(
            args.host,
            args.port,
            control_port=None if args.no_control else _port(args, args.control_port, 8744),
            mqtt_port=None if args.no_mqtt else _port(args, args.mqtt_port, 8883),
            agentlite_port=_port(args, args.agentlite_port, 8943),
            hub_port=args.hub_port,
            codecs=dict(codecs.load(text) for text in args.codec),
            folder=emulator_home(args.home),
            data_dir=args.data_dir,
            callback_ca=args.callback_ca,
            strict_x509=args.strict_x509,
            **settings,
        )
        _allow_many_connections()
        emulator.serve_forever(lambda: _announce(args, emulator))
    except (BindError, DataDirError, ValueError, OSError) as error:
        return _fail(args, error.strerror if isinstance(error, BindError) and error.strerror else str(error))
    _announce_the_end(args)
    return 0


def _announce_the_end(args: argparse.Namespace) -> None:
    state = f"the state is kept in {args.data_dir}" if args.data_dir else "the state was in memory and is lost"
    print(json.dumps({"event": "stopped"}) if args.json else f"stopped; {state}", file=sys.stderr, flush=True)


def _allow_many_connections() -> None:
    """Raise this process's limit of open files, which is often 1,024: each device has a connection."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _port(args: argparse.Namespace, given: int | None, usual: int) -> int:
    if given is not None:
        return given
    return usual if args.port else 0  # with a free port, several emulators may run side by side


def _announce(args: argparse.Namespace, emulator: Any) -> None:
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
        ("console (opens once)", facts["console"] or "none"),
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


def _fail(args: argparse.Namespace, message: str) -> int:
    print(
        json.dumps({"event": "error", "error": message}) if args.json else f"iot-northbound: {message}", file=sys.stderr
    )
    return 1
