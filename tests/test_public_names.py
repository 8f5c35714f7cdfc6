"""Everything in a public signature can be imported from a package, so nobody has to look into modules."""

import importlib
import inspect
import typing
from collections.abc import Iterator
from typing import Any

import pytest

import iot_northbound
from iot_northbound import bulk, services
from iot_northbound.core import fields
from iot_northbound.services.base import Caller, TokenOwner

PACKAGES = ("", ".bulk", ".device", ".dto", ".services", ".push", ".error_codes")
EXPORTED = {
    id(getattr(package, name))
    for package in (importlib.import_module(f"iot_northbound{each}") for each in PACKAGES)
    for name in package.__all__
} | {id(Caller), id(TokenOwner)}  # what a service needs; a NorthApiClient has it


def parts(annotation: Any) -> Iterator[Any]:
    """Yield the classes in an annotation."""
    if isinstance(annotation, type):
        yield annotation
    for each in typing.get_args(annotation):
        yield from parts(each)


def functions(public: Any) -> Iterator[Any]:
    """Yield a function, or the public methods and properties of a class."""
    if inspect.isfunction(public):
        yield public
    elif isinstance(public, type):
        for name, value in vars(public).items():
            value = getattr(value, "__func__", getattr(value, "fget", value))
            if inspect.isfunction(value) and (name == "__init__" or not name.startswith("_")):
                yield value


@pytest.mark.parametrize("name", sorted({*iot_northbound.__all__} - {"__version__", "PushMessageReceiver"}))
def test_what_a_public_signature_names_is_exported(name: str) -> None:
    public = getattr(iot_northbound, name)
    module = vars(importlib.import_module(getattr(public, "__module__", "iot_northbound")))
    used: set[Any] = set()
    for function in functions(public):
        scope = (
            {"Bulk": bulk.Bulk} | vars(fields) | vars(services) | function.__globals__ | module
        )  # names imported for typing only
        for hint in typing.get_type_hints(function, scope).values():
            used |= {each for each in parts(hint) if each.__module__.startswith("iot_northbound")}
    assert sorted(each.__qualname__ for each in used if id(each) not in EXPORTED) == []
