from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

from iot_northbound.emulator.server import Emulator
from tests.emulator.console.browsing import Browser


def test_an_emulator_that_nobody_looks_at_imports_no_templates(home_folder: Path) -> None:
    program = (
        "import sys\nfrom iot_northbound.emulator import Emulator\n"
        f"with Emulator(folder={str(home_folder)!r}) as emulator:\n"
        "    emulator.console_link()\n"
        "    parts = ('jinja2', 'iot_northbound.emulator.console')\n"
        "    print([name for name in sys.modules if name.startswith(parts)])"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    loaded = {name.rpartition(".")[2] for name in eval(run.stdout)}
    assert loaded == {"console", "door"}


def test_without_jinja2_the_page_says_what_to_install(home_folder: Path, monkeypatch: Any) -> None:
    for name in [name for name in sys.modules if name.startswith("iot_northbound.emulator.console.")]:
        if not name.endswith(".door"):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with Emulator(folder=home_folder) as emulator:
        shown = Browser(emulator).get()
        assert shown.status == 501
        assert "pip install 'iot-northbound[emulator]'" in shown.text
        assert Browser(emulator).send("GET", "/health").status == 200


def test_the_root_of_the_port_is_the_page_and_the_operations_stay(browser: Browser) -> None:
    assert browser.send("GET", "/console").status == 200
    assert browser.send("GET", "/").status in (200, 401)
    assert browser.send("GET", "/health").status == 200
    assert browser.send("GET", "/consoles").status == 404
