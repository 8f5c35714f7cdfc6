"""What the watch commands show on a terminal, and how Ctrl-C ends them."""

from __future__ import annotations

import signal
import subprocess
import sys

from iot_northbound.emulator import Emulator

from .conftest import Run
from .terminals import terminal

SEND = ("WaterMeter.SET_VALVE", "state=OPEN")


def test_a_terminal_shows_a_table(emulator: Emulator, run: Run, device: str) -> None:
    emulator.control.script(device, answer="success")
    run("commands", "send", device, *SEND)
    with terminal("commands", "watch", device) as screen:
        assert screen.read_all() == 0
    assert "command id" in screen.shown
    assert "SUCCESSFUL" in screen.shown


def test_ctrl_c_ends_it_and_the_cursor_is_there_again(emulator: Emulator, run: Run, device: str) -> None:
    emulator.control.set_online(device, False)
    run("commands", "send", device, *SEND)
    with terminal("commands", "watch", device) as screen:
        screen.read_until("PENDING")
        screen.process.send_signal(signal.SIGINT)
        assert screen.read_all() == 130
    assert "Traceback" not in screen.shown
    assert screen.shown.rindex("\x1b[?25h") > screen.shown.rindex("\x1b[?25l")


def test_a_pipe_gets_a_line_for_each_change(emulator: Emulator, run: Run, device: str) -> None:
    emulator.control.set_online(device, False)
    run("commands", "send", device, *SEND)
    command = [sys.executable, "-m", "iot_northbound", "commands", "watch", device, "--every", "0.1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert "PENDING" in process.stdout.readline()
        emulator.control.script(device, answer="success")
        rest = process.stdout.read().splitlines()
        assert process.wait(60) == 0
    assert "SUCCESSFUL" in rest[-1]
    assert not any("\x1b" in line for line in rest)
