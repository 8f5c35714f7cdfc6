"""What a service's docstrings say of errors is what the reference documents and what the client raises."""

import inspect
import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import pytest

from iot_northbound import errors, services
from iot_northbound.errors import SdkCode, class_for
from tests.facts import ENDPOINTS, snake

STATUSES: dict[str, dict[str, set[int]]] = defaultdict(lambda: defaultdict(set))
"""By section and code, under which HTTP statuses the reference documents it."""
for _endpoint in ENDPOINTS:
    for _error in _endpoint["errors"]:
        STATUSES[_endpoint["rest_section"]][_error["code"]].add(_error["http"])

EVERY_CALL = {
    *("1010005", "1010009", "101005", "101009"),  # token and flow control
    *("100203", "100217"),  # another application
    *("50252", "100001", "100023", "100220", "100501", "101016", "101017"),  # the platform's own failures
}
"""Codes that say nothing of one call in particular; docs/errors.md has them."""
LEFT_OUT_BY_THE_REFERENCE = {("1.6.3", "100225"), ("1.9.6", "100603")}
"""What platforms answer although the reference does not list it there; the docstrings say so."""
OWN = {
    SdkCode.NO_ANSWER: "WaitTimeoutError",
    SdkCode.UNREADABLE: "UnreadableAnswerError",
    SdkCode.INVALID_ARGUMENT: "InvalidArgumentError",
}
"""The SDK's own codes as docstrings of services name them."""


def method_of(endpoint: dict[str, Any]) -> Any:
    name = snake(endpoint["java_method"] or "regDeviceWithSecret")
    return getattr(getattr(services, endpoint["service"]), name)


def words_of(method: Any) -> str:
    """Return a docstring, with the one it refers to for its errors."""
    words = inspect.getdoc(method) or ""
    if same := re.search(r"raises what `(\w+)` does", words):
        owner = getattr(services, method.__qualname__.split(".")[0])
        words += "\n\n" + words_of(getattr(owner, same[1]))
    return words


def raised(words: str) -> Iterator[tuple[str, str]]:
    """Yield each exception class with each code that a docstring's Raises names for it."""
    for block in re.findall(r"^Raises:\n((?:    .*\n?)+)", words, re.M):
        for name, text in re.findall(r"^    (\w+): ((?:.*\n?)(?:     .*\n?)*)", block, re.M):
            for code in re.findall(r"\b\d{4,7}\b", text):
                yield name, code


METHODS = [
    (service, name)
    for service in services.__all__
    for name, value in vars(getattr(services, service)).items()
    if inspect.isfunction(value) and not name.startswith("_")
]


@pytest.mark.parametrize(("service", "name"), METHODS)
def test_each_code_is_documented_for_the_call_and_comes_as_the_class_that_is_named(service: str, name: str) -> None:
    words = words_of(getattr(getattr(services, service), name))
    sections = re.findall(r"\d\.\d+\.\d+", words.split("Reference:")[1])
    if name == "ensure":  # "sections 1.6.1 to 1.6.6"
        sections = [f"1.6.{number}" for number in range(1, 7)]
    for cls, code in raised(words):
        assert issubclass(getattr(errors, cls), errors.NorthApiException)
        if code in OWN:
            assert cls == OWN[code], code
            continue
        statuses = set().union(*[STATUSES[section][code] for section in sections])
        assert statuses or (sections[0], code) in LEFT_OUT_BY_THE_REFERENCE, f"{code} is not documented for {sections}"
        assert {class_for(code, status).__name__ for status in statuses or {404}} == {cls}, code


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda each: str(each["rest_section"]))
def test_each_documented_code_is_named(endpoint: dict[str, Any]) -> None:
    words = words_of(method_of(endpoint))
    documented = {error["code"] for error in endpoint["errors"]} - EVERY_CALL
    assert sorted(code for code in documented if not re.search(rf"\b{code}\b", words)) == []


def test_the_reader_of_docstrings_finds_what_is_there() -> None:
    words = """Do it.

Raises:
    NotFoundError: none (100403, 100418), or
        none yet (100425).
    DeviceOfflineError: away
        (100428).

Reference: section 1.4.8 of 100431.
"""
    assert list(raised(words)) == [
        ("NotFoundError", "100403"),
        ("NotFoundError", "100418"),
        ("NotFoundError", "100425"),
        ("DeviceOfflineError", "100428"),
    ]
