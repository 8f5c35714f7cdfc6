"""Nothing public goes without words, and nothing without a test."""

import ast
import importlib
import inspect
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from iot_northbound import services

TESTS = Path(__file__).parents[1]


def methods() -> Iterator[tuple[str, str]]:
    for service in services.__all__:
        for name, value in vars(getattr(services, service)).items():
            if inspect.isfunction(value) and not name.startswith("_"):
                yield service, name


@pytest.mark.parametrize(("service", "name"), list(methods()))
def test_a_method_says_its_outcome_its_errors_and_its_section(service: str, name: str) -> None:
    words = inspect.getdoc(getattr(getattr(services, service), name))
    assert words, f"{service}.{name} has no docstring"
    first = words.split("\n\n")[0]
    assert "\n" not in first, "the first line is the outcome, whole"
    assert first.endswith(".")
    assert re.search(r"^Reference: (Java )?sections? \d\.\d+\.\d+", words, re.M), f"{service}.{name}"
    assert "TODO" not in words


def called_in(text: str) -> set[str]:
    """Return the names of the methods that a program calls."""
    calls = (node.func for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call))
    return {function.attr for function in calls if isinstance(function, ast.Attribute)}


def test_every_public_method_is_called_by_a_test() -> None:
    from tests.facts import ENDPOINTS
    from tests.services.test_calls import method_name

    # test_calls.py calls the methods that the facts name.
    missing = {name for _, name in methods()} - {method_name(fact) for fact in ENDPOINTS}
    for file in TESTS.rglob("test_*.py"):
        text = file.read_text(encoding="utf-8")
        if any(name in text for name in missing):  # to parse every file takes ten seconds
            missing -= called_in(text)
    assert missing == set()


def test_services_are_loaded_on_first_use() -> None:
    code = (
        "import sys, iot_northbound.services as s\n"
        "loaded = lambda: {m.rsplit('.', 1)[1] for m in sys.modules if m.startswith('iot_northbound.services.')}\n"
        "assert not loaded(), loaded()\n"
        "s.BatchProcess\n"
        "assert loaded() == {'base', 'batch_process', 'paging', 'waiting'}, loaded()\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_an_unknown_name_is_refused() -> None:
    assert set(services.__all__) <= set(dir(services))
    with pytest.raises(AttributeError, match="Nothing"):
        importlib.import_module("iot_northbound.services").__getattr__("Nothing")
