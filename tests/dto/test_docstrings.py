"""What a request's docstring says of limits is what the class holds its fields to."""

import inspect
import re

import pytest

from iot_northbound import dto
from iot_northbound.core.fields import Items, Range, Text, specs

REQUESTS = [
    getattr(dto, name)
    for name in dto.__all__
    if inspect.isclass(getattr(dto, name)) and hasattr(getattr(dto, name), "__attrs_attrs__")
]


def told(cls: type) -> dict[str, str]:
    """Return what a class says of each of its attributes."""
    words = inspect.getdoc(cls) or ""
    _, _, attributes = words.partition("Attributes:\n")
    return dict(re.findall(r"^    (\w+): ((?:.*\n?)(?:     .*\n?)*)", attributes, re.M))


def numbers(text: str) -> set[int]:
    return {int(number.replace(",", "")) for number in re.findall(r"\d[\d,]*", text)}


@pytest.mark.parametrize("cls", REQUESTS, ids=lambda cls: str(cls.__name__))
def test_the_limits_of_a_field_are_the_ones_its_docstring_names(cls: type) -> None:
    words = told(cls)
    for name, spec in specs(cls).items():
        for rule in spec.rules:
            if isinstance(rule, Text) and "see `" in words[name]:
                continue  # its values are those of an enumeration, all shorter than the limit
            if isinstance(rule, Text | Range | Items):
                bounds = {bound for bound in (rule.low, rule.high) if bound} | ({0} if rule == Range(0) else set())
                assert bounds <= numbers(words[name]), f"{name}: {words[name].strip()}"
