"""docs/command-line.md: its commands run, in their order, and print what it says; see calls/test_page.py."""

from __future__ import annotations

import io
import json
import os
import re
import shlex
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from iot_northbound.cli import main
from iot_northbound.cli.app import root
from iot_northbound.core.clock import SYSTEM_CLOCK
from iot_northbound.emulator import Emulator
from iot_northbound.push import HandlerRetry, PushMessageReceiver, SqliteInbox
from iot_northbound.shared import open_state
from tests.clock import eventually
from tests.push.helpers import data_body

DOCS = Path(__file__).parents[2] / "docs"
BLOCK = re.compile(r"```console\n(.*?)```", re.DOTALL)
INTO_A_VARIABLE = re.compile(r"(\w+)=\$\((.*) \| jq -r \.([\w.]+)\)")


class Failing(PushMessageReceiver):
    """Its handlers fail."""

    def handle_body(self, body: str) -> None:
        raise RuntimeError("not today")


Place = tuple[Path, dict[str, str]]


def examples(page: str) -> Iterator[tuple[str, str, int]]:
    """Yield each command of the page with what it prints, in which … stands for anything, and its exit status."""
    for block in BLOCK.findall((DOCS / page).read_text("utf-8")):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, shown = part.partition("\n")
            text, *status = re.split(r"^exit status (\d+)\n", shown, flags=re.MULTILINE)
            yield command, text, int(status[0]) if status else 0


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A folder with a platform, a secret and two inboxes, and the variables of the examples."""
    folder = tmp_path_factory.mktemp("place")
    for name in ("pushes", "left"):
        with Failing(SqliteInbox(folder / f"{name}.sqlite3"), retry=HandlerRetry(attempts=1)) as receiver:
            if name == "pushes":
                assert receiver.receive(data_body("meter-1")).status == 200
                eventually(lambda: receiver.metrics().dead == 1)
    with Emulator(folder=folder / "emulator", mqtt_port=0) as emulator:
        (folder / "secret.txt").write_text(emulator.secret)
        (folder / "meters.csv").write_text("nodeId,productId\nm-1,water-meter-nb\nm-2,water-meter-nb\n")
        state = open_state(f"file:{folder / 'shared.sqlite3'}", "platform.example:8743/demo", clock=SYSTEM_CLOCK)
        state.read()  # this makes the file
        state.close()
        yield (
            folder,
            {
                "IOT_NORTHBOUND_EMULATOR_HOME": str(emulator.home.folder),
                "IOT_NORTHBOUND_PROFILE": str(emulator.profile_path),
                "HOME_OF_EMULATOR": str(emulator.home.folder),
                "PORT": str(emulator.address[1]),
                "MQTT_PORT": str(emulator.mqtt_url).rpartition(":")[2],
                "APP_ID": emulator.app_id,
            },
        )


@pytest.mark.parametrize("page", ["command-line.md"])
def test_the_commands_of_a_page_print_what_it_says(
    page: str, place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, variables = place
    for name in [name for name in os.environ if name.startswith("IOT_NORTHBOUND_")]:
        monkeypatch.delenv(name)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(folder / page))
    monkeypatch.chdir(folder)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    for example, shown, status in examples(page):
        variable = INTO_A_VARIABLE.fullmatch(example)
        command = variable[2] if variable else example
        program, *arguments = shlex.split(os.path.expandvars(command))
        assert program == "iot-northbound"
        ended = main(arguments)
        told = capsys.readouterr()
        printed = (told.out + told.err).strip()
        assert ended == status, f"$ {command}\n{printed}"
        if variable:
            value = json.loads(told.out)
            for key in variable[3].split("."):
                value = value[int(key) if key.isdecimal() else key]
            monkeypatch.setenv(variable[1], value)
            if variable[1] == "DEVICE":
                (folder / "names.csv").write_text(f"deviceId,name\n{value},west 7\n")
                command = f'{value},WaterMeter,SET_VALVE,"{{""state"":""OPEN""}}"'
                (folder / "commands.csv").write_text(f"deviceId,serviceId,method,paras\n{command}\n")
            continue
        pattern = re.sub(r"(\\ )+", " +", re.escape(shown.strip())).replace("…", ".*")
        assert re.fullmatch(pattern, printed, re.DOTALL), f"$ {command}\n{printed}"


def every_command(group: click.Group = root, path: tuple[str, ...] = ()) -> Iterator[str]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from every_command(command, (*path, name))
        else:
            yield " ".join((*path, name))


def test_every_command_has_an_example_in_the_documentation() -> None:
    pages = "\n".join(page.read_text("utf-8") for page in DOCS.rglob("*.md"))
    assert [each for each in every_command() if f"iot-northbound {each}" not in pages] == []
