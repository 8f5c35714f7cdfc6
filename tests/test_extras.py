"""Whatever needs an extra of the package says which, in one way, whatever is missing."""

import ast
import importlib.metadata
import pickle
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

import iot_northbound
from iot_northbound import MissingExtraError
from iot_northbound._extras import EXTRAS, needs_extra

PROJECT = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text("utf-8"))["project"]
SOURCE = Path(iot_northbound.__file__).parent
NEEDS_NO_EXTRA = {
    "pytest": "who imports iot_northbound.testing runs pytest",
    "uvloop": "without it the server runs on asyncio's own loop",
}


class Import(NamedTuple):
    """A package that a module imports when it runs; not one for a type checker."""

    package: str
    module: str
    extra: str | None
    """The extra of the `needs_extra` around it."""
    at_once: bool
    """Whether it happens when the module is loaded."""


def imports(module: str, tree: ast.AST, extra: str | None = None, at_once: bool = True) -> Iterator[Import]:
    for node in ast.iter_child_nodes(tree):
        names: list[str] = []
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names = [node.module or ""]
        yield from (Import(name.partition(".")[0], module, extra, at_once) for name in names)
        around = re.match(r"with needs_extra\('(\w+)'\)", ast.unparse(node)) if isinstance(node, ast.With) else None
        inside = at_once and not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        yield from imports(module, node, around[1] if around else extra, inside)


def distribution(requirement: str) -> str:
    found = re.match(r"[\w.-]+", requirement)
    assert found
    return re.sub(r"[-_.]+", "-", found[0]).lower()


INSTALLED = importlib.metadata.packages_distributions()


def packages_of(requirements: list[str]) -> set[str]:
    """Return the packages that these requirements install, by the names that are imported."""
    wanted = {distribution(each) for each in requirements}
    return {package for package, owners in INSTALLED.items() if wanted & {distribution(owner) for owner in owners}}


ALWAYS = packages_of(PROJECT["dependencies"])
OPTIONAL = [
    found
    for path in sorted(SOURCE.rglob("*.py"))
    for found in imports(
        ".".join(["iot_northbound", *path.relative_to(SOURCE).with_suffix("").parts]).removesuffix(".__init__"),
        ast.parse(path.read_text("utf-8")),
    )
    if found.package not in sys.stdlib_module_names | ALWAYS | {"iot_northbound", *NEEDS_NO_EXTRA}
]
PACKAGES = sorted({each.package for each in OPTIONAL})


def test_every_optional_import_names_its_extra() -> None:
    assert [each for each in OPTIONAL if each.package not in EXTRAS.get(each.extra or "", ())] == []
    assert {"uvicorn", "httptools", "sortedcontainers", "paho", "redis", "psycopg", "confluent_kafka"} <= set(PACKAGES)


@pytest.mark.parametrize("extra", EXTRAS)
def test_an_extra_installs_the_packages_that_its_error_names(extra: str) -> None:
    wanted = [*PROJECT["optional-dependencies"][extra]]
    if any(each.startswith("iot-northbound[emulator]") for each in wanted):
        wanted += PROJECT["optional-dependencies"]["emulator"]
    brought_along = {"psycopg-binary", "psycopg-pool", "markupsafe"}
    inside = {distribution(each) for each in wanted} | brought_along
    for package in EXTRAS[extra]:
        assert {distribution(owner) for owner in INSTALLED[package]} & inside, package


@pytest.mark.parametrize("package", PACKAGES)
def test_each_module_that_needs_a_missing_package_says_what_to_install(package: str) -> None:
    modules = sorted({each.module for each in OPTIONAL if each.package == package and each.at_once})
    program = f"""
import importlib, sys
sys.modules[{package!r}] = None
for name in {modules!r}:
    try:
        importlib.import_module(name)
    except ImportError as error:
        print(name, type(error).__name__, error, sep="|")
    else:
        print(name, "", "imported", sep="|")
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    extras = [extra for extra, packages in EXTRAS.items() if package in packages]
    texts = [f"{package} is not installed: pip install 'iot-northbound[{extra}]'" for extra in extras]
    for line in ran.stdout.splitlines():
        _, kind, said = line.split("|")
        assert (kind, said in texts) == ("MissingExtraError", True), line
    assert len(ran.stdout.splitlines()) == len(modules)


@pytest.mark.parametrize("url", ["redis://cache.example", "postgresql://db.example/na"])
def test_a_client_that_shares_says_it_when_it_is_made(url: str) -> None:
    program = f"""
import sys
sys.modules["redis"] = sys.modules["psycopg"] = None
from iot_northbound import ClientInfo, MissingExtraError, NorthApiClient
try:
    NorthApiClient(ClientInfo(platform_ip="h", app_id="a", secret="s"), shared={url!r})
except MissingExtraError as error:
    print(error)
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    package, extra = ("redis", "redis") if url.startswith("redis") else ("psycopg", "postgres")
    assert ran.stdout == f"{package} is not installed: pip install 'iot-northbound[{extra}]'\n"


def test_the_outermost_block_decides() -> None:
    with pytest.raises(MissingExtraError) as caught, needs_extra("emulator"), needs_extra("receiver"):
        raise ModuleNotFoundError("No module named 'uvicorn.config'", name="uvicorn.config")
    assert str(caught.value) == "uvicorn is not installed: pip install 'iot-northbound[emulator]'"
    assert (caught.value.extra, caught.value.name) == ("emulator", "uvicorn")
    assert caught.value.__suppress_context__


def test_a_package_that_is_none_of_the_extra_is_not_explained() -> None:
    with pytest.raises(ModuleNotFoundError, match=r"^No module named 'h11'$"), needs_extra("receiver"):
        raise ModuleNotFoundError("No module named 'h11'", name="h11")


def test_the_error_is_an_import_error_and_travels() -> None:
    again = pickle.loads(pickle.dumps(MissingExtraError("redis", "redis")))
    assert isinstance(again, ImportError)
    assert (str(again), again.extra, again.name) == (
        "redis is not installed: pip install 'iot-northbound[redis]'",
        "redis",
        "redis",
    )
