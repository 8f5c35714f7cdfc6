"""DTO modules are loaded when they are asked for."""

import ast
import inspect
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from iot_northbound import dto

ROOMS = sorted(p.stem for p in Path(inspect.getfile(dto)).parent.glob("*.py") if p.stem != "__init__")


def _modules_after(code: str) -> set[str]:
    code += "\nimport sys; print(*[m for m in sys.modules if m.startswith('iot_northbound.dto')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    return set(done.stdout.split())


def test_a_class_loads_only_its_own_module() -> None:
    assert _modules_after("import iot_northbound.dto") == {"iot_northbound.dto"}
    assert _modules_after("from iot_northbound.dto import AuthOutDTO") == {
        "iot_northbound.dto",
        "iot_northbound.dto.authentication",
    }


@pytest.mark.parametrize("room", ROOMS)
def test_every_public_name_of_a_module_is_in_the_package(room: str) -> None:
    module = import_module(f"iot_northbound.dto.{room}")
    for name in module.__all__:
        assert getattr(dto, name) is getattr(module, name)
        assert name in dto.__all__
        assert name in dir(dto)
    assert set(dto.__all__) >= set(module.__all__)


def test_type_checkers_read_every_module() -> None:
    tree = ast.parse(inspect.getsource(dto))
    starred = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.names[0].name == "*"}
    assert starred == {f"iot_northbound.dto.{room}" for room in ROOMS}


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="NoSuchDTO"):
        dto.NoSuchDTO  # type: ignore[attr-defined]  # noqa: B018


def test_every_class_tells_what_it_is_and_documents_each_field() -> None:
    for name in dto.__all__:
        value = getattr(dto, name)
        if not isinstance(value, type):
            continue
        doc = inspect.getdoc(value) or ""
        assert doc, name
        for attribute in getattr(value, "__attrs_attrs__", ()):
            assert f"\n    {attribute.name}: " in doc, f"{name}.{attribute.name}"
        if hasattr(value, "__attrs_attrs__"):
            assert "section" in doc.split("Attributes:")[0], name
