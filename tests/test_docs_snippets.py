"""Every program in the documentation is a file, and runs."""

import inspect
import os
import re
import runpy
from collections.abc import Iterator
from pathlib import Path

import pytest

from iot_northbound.emulator import Emulator
from iot_northbound.emulator_home import emulator_home
from tests.snippets import DOCS, INCLUDE, SNIPPETS, included

PAGES = sorted(DOCS.rglob("*.md"))
PROGRAMS = sorted(file for file in SNIPPETS.glob("*.py") if not file.name.startswith(("_", "test_", "conftest")))
FENCE = re.compile(r"^( *)```([\w-]*)[^\n]*\n(.*?)^\1```$", re.DOTALL | re.MULTILINE)
WIDTH = 88
"""As many columns of code as a page shows at 1400 pixels, without scrolling."""


def blocks_of(page: Path) -> list[tuple[str, str]]:
    """Return the language and the content of each block, without its indentation."""
    return [
        (language, re.sub(rf"^{indent}", "", content, flags=re.MULTILINE))
        for indent, language, content in FENCE.findall(page.read_text("utf-8"))
    ]


every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(DOCS).as_posix())


@every_page
def test_every_program_of_a_page_is_a_file(page: Path) -> None:
    for language, code in blocks_of(page):
        if language == "python":
            assert INCLUDE.sub("", code).strip() == "", "put this into docs/snippets and include it"


@every_page
def test_no_line_of_a_block_is_too_long_for_the_page(page: Path) -> None:
    for language, code in blocks_of(page):
        if language in ("text", "console"):  # what a program printed; the page wraps it
            continue
        shown = included(code)
        assert [line for line in shown.splitlines() if len(line) > WIDTH] == []


def test_every_section_of_a_file_is_on_a_page() -> None:
    told = "\n".join(page.read_text("utf-8") for page in PAGES)
    for file in SNIPPETS.glob("*.py"):
        if file.name.startswith("calls_"):  # those that docs/_calls.py shows
            continue
        for name in re.findall(r"\[start:([\w-]+)\]", file.read_text("utf-8")):
            assert f'"docs/snippets/{file.name}:{name}"' in told, f"{file.name}: {name} is nowhere"


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.stem)
def test_it_runs(
    program: Path,
    at_home: Emulator,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)  # for the programs that make a file or a folder
    at_home.control.reset()
    runpy.run_path(str(program), run_name=program.stem)
    assert "Traceback" not in capsys.readouterr().err


@pytest.fixture(scope="module")
def at_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """Run the platform in the folder where the pages' programs look for it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
        for name in [name for name in os.environ if name.startswith("IOT_NORTHBOUND_")]:
            patch.delenv(name)
        with Emulator(folder=emulator_home(), mqtt_port=0, agentlite_port=0) as emulator:
            yield emulator


def test_the_application_of_the_tutorial_hears_the_report_and_gets_its_command_done(
    at_home: Emulator, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    at_home.control.reset()
    runpy.run_path(str(SNIPPETS / "tutorial.py"), run_name="__main__")
    told = capsys.readouterr().out
    shown = "\n".join(code for _, code in blocks_of(DOCS / "tutorial.md"))
    for line in told.splitlines():
        assert re.sub(r"[0-9a-f-]{36}", "…", line) in re.sub(r"[0-9a-f-]{36}", "…", shown)


def test_every_method_of_the_services_has_parameters_and_an_example() -> None:
    from iot_northbound import services

    of_calls = runpy.run_path(str(DOCS / "_calls.py"))
    for name in services.__all__:
        service = getattr(services, name)
        module = service.__module__.rpartition(".")[2]
        methods = {each: method for each, method in vars(service).items() if not each.startswith("_")}
        told = set(re.findall(r"\[start:(\w+)\]", (SNIPPETS / f"calls_{module}.py").read_text("utf-8")))
        assert told == set(methods)
        for method in methods.values():
            if "Args:" not in method.__doc__:
                given = [each for each in inspect.signature(method).parameters if each != "self"]
                assert [each for each in given if of_calls["explained"](each) is None] == []
