"""``iot-northbound simulate``: many devices that report, and answer commands."""

from __future__ import annotations

import argparse
import contextlib
import ipaddress
import json
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from iot_northbound.cli import values
from iot_northbound.cli.connection import (
    WITH_ADDRESS,
    add_arguments,
    profile_of,
    refuse_lonely,
    settings_from,
)
from iot_northbound.cli.ending import ended_by_signals
from iot_northbound.cli.models import Services, known_services, register, services_of
from iot_northbound.cli.parser import Parser
from iot_northbound.cli.wording import in_words_of
from iot_northbound.core.clock import SYSTEM_CLOCK
from iot_northbound.core.signal_safe import Flag
from iot_northbound.core.suggest import did_you_mean

if TYPE_CHECKING:
    from iot_northbound.config import Settings
    from iot_northbound.device import DeviceCredentials
    from iot_northbound.device.fleet import FleetCounts
    from iot_northbound.device.simulate import Scenario, Simulation

T = TypeVar("T")

_DEVICES = 10
_LAST_WAIT = 30.0
_SPARE_FILES = 100


def add_parser(subparsers: Any) -> Parser:
    """Add the subcommand."""
    parser: Parser = subparsers.add_parser(
        "simulate",
        help="run many simulated devices",
        description="Connect simulated devices over MQTT. They report at an interval and answer commands until Ctrl-C "
        "or for --seconds. On a terminal, a line shows what happens; otherwise there is one JSON object per second. "
        "The exit status is 0 only if every device got in and the platform acknowledged every report.",
    )
    add = parser.add_argument
    add("--devices", type=values.whole, metavar="N", help=f"how many (default: all in the CSV file, or {_DEVICES})")
    add("--model", metavar="ID|FILE", help="product model: a productId, or its JSON file")
    add("--interval", type=values.seconds, metavar="SECONDS", help="time between two reports of a device (default: 5)")
    add("--ramp", type=_ramp, metavar="N/s", help="begin so many connections per second (default: all at once)")
    add(
        "--answer",
        type=_answer,
        metavar="HOW",
        help="answer commands with success, fail, never, or slow:SECONDS (default: success)",
    )
    add("--scenario", type=Path, metavar="FILE", help="TOML file with these settings and the values to report")
    add("--seconds", type=values.seconds, metavar="N", help="end after this time (default: at Ctrl-C)")
    add("--json", action="store_true", help="print JSON also on a terminal")
    add("--yes", action="store_true", help="allow a platform that is not on this machine")
    who = parser.add_argument_group("who the devices are", "Give one of these options, or both.")
    who.add_argument("--register", action="store_true", help="register new devices at the platform; they stay there")
    who.add_argument(
        "--credentials",
        type=Path,
        metavar="FILE",
        help="CSV file with the columns deviceId and secret; with --register, it is written, for its owner only",
    )
    where = parser.add_argument_group("MQTT", "By default, the table [devices] of the profile has these values.")
    where.add_argument("--mqtt-host", metavar="HOST", help="host name or address of the platform")
    where.add_argument("--mqtt-port", type=values.port, metavar="PORT", help="its port (default: 8883)")
    where.add_argument("--device-ca", type=Path, metavar="PEM", help="CA of its certificate (default: the system's)")
    add_arguments(parser, "platform to register at")
    return parser


def _ramp(text: str) -> float:
    from iot_northbound.device.simulate.scenario import read_ramp

    return _read(read_ramp, text)


def _answer(text: str) -> Any:
    from iot_northbound.device.simulate.scenario import Answer

    return _read(Answer.read, text)


def _read(reader: Callable[[str], T], text: str) -> T:
    try:
        return reader(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def run(arguments: argparse.Namespace) -> int:
    """Simulate devices until the time is over or a signal comes; return 0 if nothing was lost, else 1."""
    from iot_northbound.device.simulate import Simulation, read_credentials

    if not arguments.register and arguments.credentials is None:
        _refuse(arguments, "who are the devices? Give --credentials FILE, or --register")
    scenario = _scenario(arguments)
    settings = settings_from(arguments) if arguments.register else None
    if arguments.device_ca is not None:
        arguments.names = {**arguments.names, "ca_path": "--device-ca"}
    host, port, ca = _where(arguments)
    _refuse_foreign(arguments, host, *([settings.client_info.platform_ip] if settings else []))
    if settings is None:
        credentials = read_credentials(arguments.credentials)
        model = known_services(scenario.model) if scenario.model else ()
    else:
        credentials, model = _register(arguments, scenario, settings)
    _tell_unknown(scenario, model)
    _allow_files(arguments, min(scenario.devices or len(credentials), len(credentials)))
    simulation = Simulation(scenario, credentials, host, port, model=model, ca_path=ca)
    ended = ended_by_signals()
    screen = _Screen(partial(in_words_of, arguments), as_json=arguments.json or not sys.stdout.isatty())
    with simulation:
        counts = _show(simulation, scenario, ended, screen)
    return 0 if _is_complete(counts) else 1


def _scenario(arguments: argparse.Namespace) -> Scenario:
    import attrs

    from iot_northbound.device.simulate import Scenario, read_scenario

    base = read_scenario(arguments.scenario) if arguments.scenario else Scenario()
    names = ("devices", "model", "interval", "ramp", "answer", "seconds")
    return attrs.evolve(base, **{each: value for each in names if (value := getattr(arguments, each)) is not None})


def _tell_unknown(scenario: Scenario, model: Services) -> None:
    """Say which properties of the scenario the product model does not have. They are reported all the same."""
    known = {
        str(each.get("serviceId")): [str(one.get("propertyName")) for one in each.get("properties") or ()]
        for each in model
    }
    for service, properties in scenario.services.items() if known else ():
        if service not in known:
            _say(f"scenario: {scenario.model or 'the model'} has no service {service}{did_you_mean(service, [*known])}")
            continue
        for name in properties:
            if name not in known[service]:
                _say(f"scenario: service {service} has no property {name}{did_you_mean(name, known[service])}")


def _where(arguments: argparse.Namespace) -> tuple[str, int, Path | None]:
    """Return host, port and CA of the platform's MQTT endpoint."""
    from iot_northbound.device.side import DeviceSide

    if arguments.mqtt_host is not None:
        return arguments.mqtt_host, arguments.mqtt_port or 8883, arguments.device_ca
    if arguments.platform_ip is not None:
        return arguments.platform_ip, arguments.mqtt_port or 8883, arguments.device_ca
    if not arguments.register:
        refuse_lonely(arguments, WITH_ADDRESS, "--platform-ip")
    profile = profile_of(arguments)
    if profile is None:
        _refuse(arguments, "where do the devices connect to? Give --mqtt-host")
    side = DeviceSide.from_profile(profile)
    port = arguments.mqtt_port or side.mqtt_port
    if port is None:
        _refuse(arguments, f"{profile} names no mqtt_port: give --mqtt-port, or start the emulator with MQTT")
    return side.mqtt_host, port, arguments.device_ca or side.ca_path


def _refuse_foreign(arguments: argparse.Namespace, *hosts: str) -> None:
    for host in hosts:
        if not arguments.yes and not _is_here(host):
            _refuse(arguments, f"{host} is not this machine: give --yes if you want to load that platform")


def _is_here(host: str) -> bool:
    if host.lower() == "localhost":
        return True
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    return False


def _register(
    arguments: argparse.Namespace, scenario: Scenario, settings: Settings
) -> tuple[list[DeviceCredentials], Services]:
    """Register the devices; return their credentials and what the platform says of their model."""
    from iot_northbound.client import NorthApiClient
    from iot_northbound.device.simulate import write_credentials

    if scenario.model is None:
        _refuse(arguments, "--register needs --model: the productId of the devices")
    file = arguments.credentials
    with contextlib.ExitStack() as stack:
        write = stack.enter_context(write_credentials(file)) if file else None
        client = stack.enter_context(NorthApiClient(*settings))
        found = []
        for each in register(client, scenario.model, scenario.devices or _DEVICES):
            found.append(each)
            if write:
                write(each)
        _say(f"registered {_count(len(found), 'device')}" + (f"; their secrets are in {file}" if file else ""))
        return found, services_of(client, found[0].id)


def _allow_files(arguments: argparse.Namespace, devices: int) -> None:
    """Let this process open a file per device."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    wanted = devices + _SPARE_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        if hard != resource.RLIM_INFINITY and hard < wanted:
            _refuse(
                arguments,
                f"{devices} devices need {wanted} open files, and this process may open {hard}: raise the limit with "
                "`ulimit -Hn`, or take fewer devices",
            )
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _show(simulation: Simulation, scenario: Scenario, ended: Flag, screen: _Screen) -> FleetCounts:
    from iot_northbound.device.simulate import status

    clock = SYSTEM_CLOCK
    start = last = clock.monotonic()
    before = None
    while not ended.is_set():
        left = 1.0 if scenario.seconds is None else start + scenario.seconds - clock.monotonic()
        if left <= 0:
            break
        ended.wait(min(1.0, left))
        now = clock.monotonic()
        counts = simulation.fleet.counts()
        screen.now(status(counts, before, now - last) | {"seconds": round(now - start, 1)})
        before, last = counts, now
    counts = simulation.finish(_LAST_WAIT)
    seconds = clock.monotonic() - start
    screen.end(status(counts, None, seconds) | {"seconds": round(seconds, 1), "complete": _is_complete(counts)})
    return counts


def _is_complete(counts: FleetCounts) -> bool:
    return not counts.lost and not counts.refused and counts.connects - counts.reconnects == counts.devices


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


class _Screen:
    """Where the numbers go."""

    def __init__(self, worded: Callable[[str], str], *, as_json: bool) -> None:
        self._worded, self._as_json = worded, as_json
        self._told: set[str] = set()

    def now(self, facts: Mapping[str, Any]) -> None:
        """Show how it is now."""
        facts = self._in_words(facts)
        if self._as_json:
            print(json.dumps({"event": "status", **facts}), flush=True)
            return
        for reason in facts["failures"]:
            if reason not in self._told:
                self._told.add(reason)
                print(f"\rcannot connect: {reason}\x1b[K")
        print(f"\r{line(facts)}\x1b[K", end="", flush=True)

    def end(self, facts: Mapping[str, Any]) -> None:
        """Show how it was."""
        facts = self._in_words(facts)
        if self._as_json:
            print(json.dumps({"event": "summary", **facts}), flush=True)
            return
        print(f"\r{line(facts)}\x1b[K")
        for reason, count in facts["failures"].items():
            print(f"{_count(count, 'attempt')} to connect failed: {reason}")
        if missing := facts["devices"] - (facts["connects"] - facts["reconnects"]):
            print(f"{missing} of {_count(facts['devices'], 'device')} never connected")
        lost = facts["reports"] - facts["acknowledged"]
        reports = _count(facts["reports"], "report")
        print(f"{reports} in {facts['seconds']:g} s, {lost or 'none'} of them lost", flush=True)

    def _in_words(self, facts: Mapping[str, Any]) -> dict[str, Any]:
        return {**facts, "failures": {self._worded(reason): count for reason, count in facts["failures"].items()}}


def line(facts: Mapping[str, Any]) -> str:
    """Return the numbers as one line for a person."""
    parts = [
        f"{facts['connected']}/{facts['devices']} connected",
        f"{facts['acknowledgedPerSecond'] or 0:g} reports/s",
    ]
    if facts["pubackP50Ms"] is not None:
        parts.append(f"PUBACK p50 {facts['pubackP50Ms']:g} ms, p99 {facts['pubackP99Ms']:g} ms")
    named = {
        "open": "open",
        "dropped": "dropped",
        "commands": "commands",
        "reconnects": "reconnects",
        "unreadable": "unreadable",
        "unsubscribed": "without commands",
    }
    parts += [f"{facts[key]} {name}" for key, name in named.items() if facts[key]]
    parts += [f"{count} refused ({code})" for code, count in facts["refused"].items()]
    if failed := sum(facts["failures"].values()):
        parts.append(f"{failed} failed attempts")
    return ", ".join(parts)


def _refuse(arguments: argparse.Namespace, message: str) -> NoReturn:
    arguments.refuse(message)
    raise AssertionError  # the line before ends the program


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
