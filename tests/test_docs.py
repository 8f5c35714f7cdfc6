"""The documentation is true: its programs run, its links lead somewhere, its tables are those of the code."""

import ast
import importlib
import importlib.util
import itertools
import re
import runpy
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

import iot_northbound
from iot_northbound.cli import main
from iot_northbound.cli.models import known_services
from iot_northbound.device.simulate import read_scenario
from iot_northbound.emulator.control.operations import OPERATIONS
from iot_northbound.emulator.faults import CALL_KINDS, PUSH_KINDS
from iot_northbound.emulator.rules import models
from tests.snippets import included

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])
ROOMS_IN_DETAIL = (
    "core", "shared", "serving", "services", "bulk", "push", "push/inboxes", "push/sinks", "push/waits",
    "device", "device/agentlite", "device/fleet", "device/simulate", "device/hub",
    "emulator", "emulator/control", "emulator/kernel", "emulator/mqtt", "emulator/agentlite", "emulator/hub",
    "emulator/console", "telemetry", "testing", "cli", "cli/calls",
)  # fmt: skip
"""The rooms of which docs/architecture.md shows every module."""
LANGUAGES = {"python", "sh", "sql", "toml", "json", "text", "console", "php", "java", "py", ""}


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path, language: str) -> list[str]:
    """Return the fenced blocks of a page in one language; those in a list or an admonition lose their indentation."""
    fence = re.compile(rf"^( *)```{language}[^\n]*\n(.*?)^\1```$", re.DOTALL | re.MULTILINE)
    found = fence.findall(page.read_text())
    return [included(re.sub(rf"^{indent}", "", code, flags=re.MULTILINE)) for indent, code in found]


every_page = pytest.mark.parametrize("page", PAGES, ids=name_of)


@every_page
def test_every_block_says_its_language(page: Path) -> None:
    fences = re.findall(r"^ *```(.*)$", page.read_text(), re.MULTILINE)
    assert len(fences) % 2 == 0, "a block is not closed"
    assert {fence.partition(" ")[0] for fence in fences} <= LANGUAGES


@every_page
def test_python_blocks_are_python_and_import_what_is_there(page: Path) -> None:
    for code in blocks(page, "python"):
        tree = ast.parse(code, name_of(page))
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "iot_northbound":
                module = importlib.import_module(str(node.module))
                missing = [alias.name for alias in node.names if not importable(module, alias.name)]
                assert not missing, f"{node.module} has no {', '.join(missing)}"


def importable(module: ModuleType, name: str) -> bool:
    return hasattr(module, name) or importlib.util.find_spec(f"{module.__name__}.{name}") is not None


@every_page
def test_toml_blocks_are_toml(page: Path) -> None:
    for code in blocks(page, "toml"):
        tomllib.loads(code)


def test_the_scenario_of_a_page_has_only_properties_of_its_model(tmp_path: Path) -> None:
    file = tmp_path / "scenario.toml"
    file.write_text(blocks(DOCS / "simulating-devices.md", "toml")[0])
    scenario = read_scenario(file)
    described = known_services(scenario.model or "")
    told = {each["serviceId"]: {one["propertyName"] for one in each["properties"]} for each in described}
    assert scenario.services
    assert all(values.keys() <= told[service] for service, values in scenario.services.items())


def test_the_tests_of_the_testing_page_pass(tmp_path: Path) -> None:
    shutil.copytree(DOCS / "snippets" / "testing", tmp_path, dirs_exist_ok=True)
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=100,
    )
    files = sorted(tmp_path.glob("*.py"))
    wanted = len(re.findall(r"^(?:async )?def test_", "\n".join(each.read_text() for each in files), re.MULTILINE))
    assert run.returncode == 0, run.stdout
    assert int(re.findall(r"(\d+) passed", run.stdout)[0]) >= wanted
    page = (DOCS / "testing.md").read_text()
    assert [each.name for each in files if f'"docs/snippets/testing/{each.name}' not in page] == []


@every_page
def test_links_within_the_repository_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:|mailto:)([^)\s]+)\)", page.read_text()):
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        assert there.exists(), f"{target}: no such file"
        if anchor:
            assert anchor in anchors(there), f"{target}: no such heading"


def anchors(page: Path) -> set[str]:
    text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[\s-]+", "-", re.sub(r"[^\w\s-]", "", heading).strip().lower()) for heading in headings}


def shown_in_the_picture() -> set[str]:
    """Return the paths of the modules and rooms that the picture shows, from the indentation of its lines."""
    shown: set[str] = set()
    rooms: list[str] = []
    for line in blocks(DOCS / "architecture.md", "text")[0].splitlines()[1:]:
        indent = len(line) - len(line.lstrip())
        found = re.match(r" *((?:\w+(?:\.py|/)(?:, ?|$| +))+)", line)
        if found is None:
            continue
        names = re.findall(r"\w+(?:\.py|/)", found[1])
        if indent < 20:  # else the line goes on with the names of the one before
            rooms = rooms[: (indent - 2) // 2]
        shown.update("".join((*rooms, name)) for name in names)
        if names[-1].endswith("/"):
            rooms.append(names[-1])
    return shown


def test_the_picture_of_the_rooms_shows_every_module() -> None:
    package = Path(iot_northbound.__file__).parent
    shown = shown_in_the_picture()
    detailed = [package, *(package / room for room in ROOMS_IN_DETAIL)]
    modules = {
        module.relative_to(package).as_posix()
        for room in detailed
        for module in room.glob("*.py")
        if not module.name.startswith("__") and module.name != "_version.py"
    }
    rooms = {f"{room.parent.relative_to(package).as_posix()}/" for room in package.rglob("*/__init__.py")}
    assert sorted((modules | rooms - {"./"}) - shown) == []
    assert sorted(name for name in shown if not (package / name).exists()) == []
    assert {room.relative_to(package).as_posix() for room in detailed[1:]} <= {room.rstrip("/") for room in rooms}


def test_the_table_of_imports_is_what_the_modules_import() -> None:
    package = Path(iot_northbound.__file__).parent
    found: dict[str, set[str]] = {}

    for file in package.rglob("*.py"):
        room = file.relative_to(package).parts[0].removesuffix(".py")
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("iot_northbound."):
                found.setdefault(room, set()).add(str(node.module).split(".")[1])
    section = (DOCS / "architecture.md").read_text().partition("## Imports")[2].partition("\n## ")[0]
    told = {
        room: set(re.findall(r"`(\w+)`", imports))
        for room, imports in re.findall(r"^\| `(\w+)` \| (.+) \|$", section, re.MULTILINE)
    }
    for room, imports in told.items():
        assert {name for name in found.get(room, ()) if name != room and not name.startswith("_")} == imports, room
    tops = set(re.findall(r"`(\w+)`", re.findall(r"^- (.+) are on top", section, re.MULTILINE)[0]))
    assert set(found) <= set(told) | tops | {"__init__"}
    importers = {room for room, imports in found.items() if imports & tops}
    assert importers <= tops | {"__init__"}


def test_every_page_stands_in_the_navigation() -> None:
    navigation = (ROOT / "mkdocs.yml").read_text()
    missing = [name for page in DOCS.rglob("*.md") if (name := page.relative_to(DOCS).as_posix()) not in navigation]
    assert not missing


@pytest.mark.parametrize(
    "package", ["iot_northbound", "iot_northbound.emulator", "iot_northbound.error_codes", "iot_northbound.push"]
)
def test_every_public_name_is_documented(package: str) -> None:
    told = set(re.findall(r"\w+", " ".join(page.read_text() for page in DOCS.rglob("*.md"))))
    module = importlib.import_module(package)
    assert sorted(set(module.__all__) - told) == []


def test_every_iterator_and_waiter_stands_in_its_table() -> None:
    from iot_northbound import services

    page = (DOCS / "paging-and-waiting.md").read_text()
    companions = {
        name
        for service in services.__all__
        for name in vars(getattr(services, service))
        if name.startswith(("iter_", "wait_for_"))
    }
    assert companions
    assert sorted(name for name in companions if f"| `{name}` |" not in page) == []


def test_every_exception_class_stands_in_its_table() -> None:
    page = (DOCS / "errors.md").read_text()
    classes = [name for name in iot_northbound.__all__ if name.endswith("Error")]
    assert [name for name in classes if f"| `{name}` |" not in page] == []


def test_every_shipped_product_model_stands_in_its_table() -> None:
    told = [
        [cell.strip(" `") for cell in line.split("|")[1:-1]]
        for line in (DOCS / "emulator-models.md").read_text().splitlines()
        if line.startswith("| `") and line.count("|") == 5
    ]
    there = [
        [
            model["productId"],
            f"{model['manufacturerId']}, {model['model']}",
            f"{model['deviceType']}, {model['protocolType']}",
            "; ".join(
                ": ".join(
                    filter(None, [each["serviceId"], ", ".join(one["commandName"] for one in each.get("commands", ()))])
                )
                for each in model["services"]
            ),
        ]
        for model in models.shipped()
    ]
    assert sorted(told) == sorted(there)


def test_every_operation_of_the_control_plane_stands_in_its_table_with_its_exact_path() -> None:
    rows = [line for line in (DOCS / "emulator.md").read_text().splitlines() if line.startswith("| ")]
    for one in OPERATIONS:
        told = f"`{one.method} {one.path}`"
        assert any(f"`{one.name}(" in row and told in row for row in rows), f"{one.name}: {told}"


def test_every_field_of_a_script_and_every_kind_of_fault_stands_in_its_table() -> None:
    page = (DOCS / "emulator.md").read_text()
    script = next(one.body for one in OPERATIONS if one.name == "script")
    names = [*(script or {})["properties"], *CALL_KINDS, *PUSH_KINDS]
    assert [name for name in names if f"\n| `{name}` |" not in page] == []


def test_every_logger_stands_in_its_table() -> None:
    page = (DOCS / "observability.md").read_text()
    source = "\n".join(module.read_text() for module in Path(iot_northbound.__file__).parent.rglob("*.py"))
    loggers = set(re.findall(r'getLogger\("([\w.]+)"\)', source))
    assert len(loggers) > 5
    assert [name for name in loggers if f"`{name}`" not in page] == []


GENERATOR = runpy.run_path(str(DOCS / "_generate.py"))


@pytest.mark.parametrize("name", GENERATOR["PAGES"])
def test_generated_pages_are_up_to_date(name: str) -> None:
    assert GENERATOR["render"](name) == (DOCS / name).read_text(), "run: make generate"


def test_commands_and_options_in_the_documentation_exist(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    used = [
        line.partition("#")[0].split()
        for page in PAGES
        for line in "\n".join(blocks(page, "sh")).replace("\\\n", " ").splitlines()
        if line.lstrip().startswith("iot-northbound ")
    ]
    assert used
    for _, command, *arguments in used:
        path = [command, *itertools.takewhile(lambda word: re.fullmatch("[a-z-]+", word), arguments)]
        while main([*path, "--help"]) != 0:
            path.pop()  # the last word was an argument
            assert path, command
        known = set(re.findall(r"--?[\w-]+", capsys.readouterr().out))
        options = {word.partition("=")[0] for word in arguments if word.startswith("-")}
        assert options <= known, f"{' '.join(path)} has no {options - known}"


def test_make_targets_in_the_documentation_exist() -> None:
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for page in PAGES:
        used = set(re.findall(r"(?:`|^)make (?:\w+=\S+ )?(\w+)", page.read_text(), re.MULTILINE))
        assert used <= targets, name_of(page)


def test_programs_named_in_the_documentation_exist() -> None:
    for page in PAGES:
        for module in re.findall(r"python -m (benchmarks[.\w]*)", page.read_text()):
            assert (ROOT / f"{module.replace('.', '/')}.py").exists(), f"{name_of(page)}: {module}"
        for program in re.findall(r"python ((?:examples|docs)/\w+\.py)", page.read_text()):
            assert (ROOT / program).exists(), f"{name_of(page)}: {program}"


def test_no_page_names_a_path_of_the_machine_it_was_written_on() -> None:
    told = re.compile(r"(?<![\w.~])/(?:work|root|home|Users)/")
    assert [name_of(page) for page in PAGES if told.search(page.read_text())] == []
