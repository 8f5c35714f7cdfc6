"""``iot-northbound simulate``: many devices that report, and answer commands."""

from __future__ import annotations

import contextlib
import ipaddress
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, TypeVar

import click

from iot_northbound.cli import values
from iot_northbound.cli.command import Command, in_section, refuse
from iot_northbound.cli.context import Session, pass_session
from iot_northbound.cli.ending import ended_by_signals
from iot_northbound.cli.exits import Exit
from iot_northbound.cli.models import Services, known_services, register, services_of
from iot_northbound.cli.wording import printable, say
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
        raise click.BadParameter(str(error)) from None


_WHO = "who the devices are (give one of these options, or both)"
_MQTT = "MQTT (by default, the table [devices] of the profile has these values)"


@click.command("simulate", cls=Command)
@click.option("--devices", type=values.whole, metavar="N", help=f"how many (default: all in the file, or {_DEVICES})")
@click.option("--model", metavar="ID|FILE", help="product model: a productId, or its JSON file")
@click.option(
    "--interval", type=values.seconds, metavar="SECONDS", help="time between two reports of a device (default: 5)"
)
@click.option("--ramp", type=_ramp, metavar="N/s", help="begin so many connections per second (default: all at once)")
@click.option(
    "--answer",
    type=_answer,
    metavar="HOW",
    help="answer commands with success, fail, never, or slow:SECONDS (default: success)",
)
@click.option("--scenario", type=Path, metavar="FILE", help="TOML file with these settings and the values to report")
@click.option("--seconds", type=values.seconds, metavar="N", help="end after this time (default: at Ctrl-C)")
@click.option("--yes", is_flag=True, help="allow a platform that is not on this machine")
@in_section(_WHO, "--register", is_flag=True, help="register new devices at the platform; they stay there")
@in_section(
    _WHO,
    "--credentials",
    type=Path,
    metavar="FILE",
    help="CSV file with the columns deviceId and secret; with --register, it is written, for its owner only",
)
@in_section(_MQTT, "--mqtt-host", metavar="HOST", help="host name or address of the platform")
@in_section(_MQTT, "--mqtt-port", type=values.port, metavar="PORT", help="its port (default: 8883)")
@in_section(_MQTT, "--device-ca", type=Path, metavar="PEM", help="CA of its certificate (default: the system's)")
@pass_session(platform="platform to register at", formats=("lines", "jsonl"))
def simulate(session: Session, **options: Any) -> Exit:
    """Run many simulated devices.

    They connect over MQTT, report at an interval and answer commands until Ctrl-C or for --seconds. On a terminal, a
    line shows what happens; otherwise there is one JSON object per second. The exit status is 0 only if every device
    got in and the platform acknowledged every report.
    """
    from iot_northbound.device.simulate import Simulation, read_credentials

    arguments = SimpleNamespace(**options)
    if not arguments.register and arguments.credentials is None:
        refuse("who are the devices? Give --credentials FILE, or --register")
    scenario = _scenario(arguments)
    settings = session.settings if arguments.register else None
    if arguments.device_ca is not None:
        session.names["ca_path"] = "--device-ca"
    host, port, ca = _where(session, arguments)
    _refuse_foreign(arguments, host, *([settings.client_info.platform_ip] if settings else []))
    if settings is None:
        credentials = read_credentials(arguments.credentials)
        model = known_services(scenario.model) if scenario.model else ()
    else:
        credentials, model = _register(arguments, scenario, settings)
    _tell_unknown(scenario, model)
    _allow_files(min(scenario.devices or len(credentials), len(credentials)))
    simulation = Simulation(scenario, credentials, host, port, model=model, ca_path=ca)
    ended = ended_by_signals()
    screen = _Screen(session.in_words, as_json=not (session.output.for_people and sys.stdout.isatty()))
    with simulation:
        counts = _show(simulation, scenario, ended, screen)
    return Exit.DONE if _is_complete(counts) else Exit.FAILED


def _scenario(arguments: SimpleNamespace) -> Scenario:
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
            say(f"scenario: {scenario.model or 'the model'} has no service {service}{did_you_mean(service, [*known])}")
            continue
        for name in properties:
            if name not in known[service]:
                say(f"scenario: service {service} has no property {name}{did_you_mean(name, known[service])}")


def _where(session: Session, arguments: SimpleNamespace) -> tuple[str, int, Path | None]:
    """Return host, port and CA of the platform's MQTT endpoint."""
    from iot_northbound.device.side import DeviceSide

    if arguments.mqtt_host is not None:
        return arguments.mqtt_host, arguments.mqtt_port or 8883, arguments.device_ca
    if session.connection is None:
        raise RuntimeError("this command has options that name a platform")
    source = session.connection.source()
    if source == "options":
        return session.connection.platform_ip or "", arguments.mqtt_port or 8883, arguments.device_ca
    if isinstance(source, str):
        refuse("where do the devices connect to? Give --mqtt-host")
    profile, _ = source
    side = DeviceSide.from_profile(profile)
    port = arguments.mqtt_port or side.mqtt_port
    if port is None:
        refuse(f"{profile} names no mqtt_port: give --mqtt-port, or start the emulator with MQTT")
    return side.mqtt_host, port, arguments.device_ca or side.ca_path


def _refuse_foreign(arguments: SimpleNamespace, *hosts: str) -> None:
    for host in hosts:
        if not arguments.yes and not _is_here(host):
            refuse(f"{host} is not this machine: give --yes if you want to load that platform")


def _is_here(host: str) -> bool:
    if host.lower() == "localhost":
        return True
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    return False


def _register(
    arguments: SimpleNamespace, scenario: Scenario, settings: Settings
) -> tuple[list[DeviceCredentials], Services]:
    """Register the devices; return their credentials and what the platform says of their model."""
    from iot_northbound.client import NorthApiClient
    from iot_northbound.device.simulate import write_credentials

    if scenario.model is None:
        refuse("--register needs --model: the productId of the devices")
    file = arguments.credentials
    with contextlib.ExitStack() as stack:
        write = stack.enter_context(write_credentials(file)) if file else None
        client = stack.enter_context(NorthApiClient(*settings))
        found = []
        for each in register(client, scenario.model, scenario.devices or _DEVICES):
            found.append(each)
            if write:
                write(each)
        say(f"registered {_count(len(found), 'device')}" + (f"; their secrets are in {file}" if file else ""))
        return found, services_of(client, found[0].id)


def _allow_files(devices: int) -> None:
    """Let this process open a file per device."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    wanted = devices + _SPARE_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        if hard != resource.RLIM_INFINITY and hard < wanted:
            refuse(
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
                print(f"\rcannot connect: {printable(reason)}\x1b[K")
        print(f"\r{line(facts)}\x1b[K", end="", flush=True)

    def end(self, facts: Mapping[str, Any]) -> None:
        """Show how it was."""
        facts = self._in_words(facts)
        if self._as_json:
            print(json.dumps({"event": "summary", **facts}), flush=True)
            return
        print(f"\r{line(facts)}\x1b[K")
        for reason, count in facts["failures"].items():
            print(f"{_count(count, 'attempt')} to connect failed: {printable(reason)}")
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
