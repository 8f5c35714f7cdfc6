"""Every documented call, from the Java chapter's signature to what is handed to the client."""

import inspect
import re
import typing
from types import UnionType
from typing import Any

import attrs
import pytest

from iot_northbound import services
from iot_northbound.core.endpoint import Endpoint
from iot_northbound.services.calls import calls
from iot_northbound.testing.factories import make
from tests.endpoints import ALL
from tests.facts import BY_SECTION, snake
from tests.services.fake import FakeClient

APP_SLOTS = {"app_id", "access_app_id", "owner_flag"}
# The password mode has no Java twin, and the Java chapter misspells one argument.
PASSWORD_MODE = "1.4.2"
SPELLED = {"gust_in_dto": "qust_in_dto", "smd_in_dto": "sdd_in_dto"}
# Calls whose repetition changes nothing (reads aside).
REPEATABLE = {"1.4.4", "1.4.8", "1.9.3"}


def method_name(fact: dict[str, Any]) -> str:
    return "reg_device_with_secret" if fact["rest_section"] == PASSWORD_MODE else snake(fact["java_method"])


def java_parameters(fact: dict[str, Any]) -> list[str]:
    if fact["rest_section"] == PASSWORD_MODE:
        return ["rdws_in_dto", "app_id", "access_token"]
    names = [snake(parameter["name"]) for parameter in fact["java_parameters"]]
    return [SPELLED.get(name, name) for name in names]


def dto_class(fact: dict[str, Any], annotation: Any) -> type | None:
    """Return the request DTO of a parameter; the one of this section where a method takes two."""
    parts = typing.get_args(annotation) if isinstance(annotation, UnionType) else (annotation,)
    found = [part for part in parts if attrs.has(part)]
    if len(found) > 1:
        named = {parameter["type"] for parameter in fact["java_parameters"]}
        found = [part for part in found if part.__name__ in named]
    return found[0] if found else None


def arguments(fact: dict[str, Any], method: Any) -> dict[str, Any]:
    hints = typing.get_type_hints(method)
    values: dict[str, Any] = {}
    for name in java_parameters(fact):
        dto = dto_class(fact, hints[name])
        values[name] = make(dto) if dto else True if hints[name] == bool | None else f"the {name}"
    return values


@pytest.fixture(params=sorted(BY_SECTION))
def fact(request: pytest.FixtureRequest) -> Any:
    return BY_SECTION[request.param]


def test_a_call_sends_what_its_section_says(fact: dict[str, Any]) -> None:
    client = FakeClient()
    service = getattr(services, fact["service"])(client)
    method = getattr(service, method_name(fact))
    given = {} if fact["service"] == "Authentication" and not fact["java_parameters"] else arguments(fact, method)
    keywords = {name: value for name, value in given.items() if name in APP_SLOTS | {"access_token"}}
    method(*[value for name, value in given.items() if name not in keywords], **keywords)

    (sent,) = client.sent
    assert (sent.endpoint.method, sent.endpoint.success) == (fact["http_method"], fact["success_status"])
    assert sent.endpoint.section == fact["rest_section"]
    assert sent.endpoint.path == re.sub(r"{(\w+)}", lambda place: f"{{{snake(place[1])}}}", fact["path"])
    assert sent.ids == {place: f"the {place}" for place in sent.endpoint.places}
    assert sent.access_token == given.get("access_token")

    dtos = [value for value in given.values() if attrs.has(type(value))]
    plain = {name: given[name] for name in given if name in APP_SLOTS | {"select", "cascade"}}
    in_query = fact["http_method"] in ("GET", "DELETE")
    if dtos and in_query:
        assert (sent.query, sent.body) == (dtos[0], None)
        assert not plain
    else:
        assert sent.query == ({camel(name): value for name, value in plain.items()} or None)
        if dtos:
            assert sent.body is dtos[0]
    documented = {field["name"] for field in fact["request"]["fields"] if field.get("in") == "query"}
    assert not isinstance(sent.query, dict) or set(sent.query) <= documented


def camel(name: str) -> str:
    return re.sub(r"_(\w)", lambda letter: letter[1].upper(), name)


def test_a_call_takes_its_java_arguments_in_their_order_and_the_application_and_token_by_name(
    fact: dict[str, Any],
) -> None:
    method = getattr(getattr(services, fact["service"]), method_name(fact))
    parameters = list(inspect.signature(method).parameters.values())[1:]
    positional = [parameter.name for parameter in parameters if parameter.kind is parameter.POSITIONAL_OR_KEYWORD]
    by_name = {parameter.name for parameter in parameters if parameter.kind is parameter.KEYWORD_ONLY}
    java = java_parameters(fact) if fact["service"] != "Authentication" else java_parameters(fact)[:1]
    assert positional == [name for name in java if name not in APP_SLOTS | {"access_token"}]
    # One method stands for both Java overloads; only one of them has the flag.
    assert by_name - {"owner_flag"} == {name for name in java if name in APP_SLOTS | {"access_token"}} - {"owner_flag"}
    assert all(parameter.default is None for parameter in parameters if parameter.name in by_name)


def test_a_call_returns_what_its_java_twin_returns(fact: dict[str, Any]) -> None:
    endpoint = ALL[fact["rest_section"]]
    if fact["rest_section"] == PASSWORD_MODE:
        assert endpoint.result.__name__ == "RegDeviceWithSecretOutDTO"
    elif fact["java_result"] == "void":
        assert endpoint.result is type(None)
    else:
        assert endpoint.result.__name__ == fact["java_result"]


def test_only_calls_that_may_arrive_twice_are_repeatable(fact: dict[str, Any]) -> None:
    endpoint = ALL[fact["rest_section"]]
    assert endpoint.repeatable == (fact["http_method"] == "GET" or fact["rest_section"] in REPEATABLE)


def test_only_login_and_refresh_go_without_a_token_and_only_login_as_a_form(fact: dict[str, Any]) -> None:
    endpoint = ALL[fact["rest_section"]]
    assert endpoint.authorized == (fact["rest_section"] not in ("1.3.1", "1.3.2"))
    assert endpoint.form == (fact["rest_section"] == "1.3.1")


def test_the_register_has_each_documented_call_with_its_method() -> None:
    documented = {(section, f"{snake(fact['service'])}.{method_name(fact)}") for section, fact in BY_SECTION.items()}
    assert {(call.section, call.name) for call in calls()} == documented
    assert len(calls()) == len(documented)


def test_the_register_has_each_endpoint_of_the_services() -> None:
    for service in services.__all__:
        constants = vars(inspect.getmodule(getattr(services, service))).values()
        assert {each for each in constants if isinstance(each, Endpoint)} <= set(ALL.values())


def test_the_register_says_what_a_method_takes_and_returns() -> None:
    for call in calls():
        hints = typing.get_type_hints(getattr(call.service, call.method))
        returned = typing.get_args(hints["return"]) or (hints["return"],)
        assert call.result in returned, call.name
        taken = {part for hint in hints.values() for part in (typing.get_args(hint) or (hint,))}
        assert call.request is None or call.request in taken, call.name
