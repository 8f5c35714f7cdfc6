"""Every endpoint as it arrives at a server over mutual TLS, held against the facts of the reference."""

import inspect
import json
import re
import typing
from types import UnionType
from typing import Any
from urllib.parse import parse_qsl, quote, unquote

import attrs
import pytest

from iot_northbound import NorthApiClient
from iot_northbound._version import __version__
from iot_northbound.core.fields import specs
from tests.dto.examples import example
from tests.endpoints import ALL
from tests.facts import ENDPOINTS, snake
from tests.faulty_server import APP_ID, LOGIN, SECRET, Desk, FaultyServer, Seen

FACTS = {fact["rest_section"]: fact for fact in ENDPOINTS}
ODD = "a/b ü 100%?#&水"
"""An id that must not lead elsewhere."""
OPTIONAL = {
    "app_id": "other app/1",
    "access_app_id": "other app/1",
    "owner_flag": "true",
    "select": "tag",
    "cascade": False,
}
PASSWORD_MODE = "1.4.2"


class Case:
    """One call of one endpoint: the arguments, and what the facts say must arrive."""

    def __init__(self, section: str, everything: bool) -> None:
        self.fact = FACTS[section]
        self.everything = everything
        self.dto: Any = None
        self.plain: dict[str, Any] = {}

    @property
    def method_name(self) -> str:
        return snake(self.fact["java_method"] or "regDeviceWithSecret")

    def make(self, client: NorthApiClient) -> None:
        service = getattr(client, snake(self.fact["service"]))
        method = getattr(service, self.method_name)
        hints = typing.get_type_hints(method)
        arguments: dict[str, Any] = {}
        for name in inspect.signature(method).parameters:
            dto = self._dto_class(hints[name])
            if dto is not None:
                arguments[name] = self.dto = example(dto, everything=self.everything)
            elif name.endswith("_id") and name not in OPTIONAL:
                arguments[name] = ODD
            elif self.everything and name in OPTIONAL and self._documented(name):
                arguments[name] = self.plain[self._wire(name)] = OPTIONAL[name]
        method(**arguments)

    def _dto_class(self, hint: Any) -> Any:
        parts = typing.get_args(hint) if isinstance(hint, UnionType) else (hint,)
        found = [part for part in parts if attrs.has(part)]
        if len(found) > 1:
            names = {parameter["type"] for parameter in self.fact["java_parameters"]}
            found = [part for part in found if part.__name__ in names]
        return found[0] if found else None

    @staticmethod
    def _wire(name: str) -> str:
        return re.sub(r"_(\w)", lambda letter: letter[1].upper(), name)

    def _documented(self, name: str) -> bool:
        return any(f["name"] == self._wire(name) and f["in"] == "query" for f in self.fact["request"]["fields"])

    @property
    def carries(self) -> str:
        """Where the DTO's fields go."""
        return "query" if self.fact["http_method"] in ("GET", "DELETE") else "body"

    def names(self) -> set[str]:
        """Return the wire names of all documented top-level fields of the DTO, as chapter 2 has them, or chapter 1."""
        structures = self.fact.get("java_request", {}).get("structures", {})
        if structures:
            return {field["name"] for field in next(iter(structures.values()))}
        return {field["name"] for field in self.fact["request"]["fields"] if field["in"] == self.carries}

    def mandatory(self) -> set[str]:
        structures = self.fact.get("java_request", {}).get("structures", {})
        fields = next(iter(structures.values())) if structures else self.fact["request"]["fields"]
        return {f["name"] for f in fields if f.get("required") == "mandatory" and f.get("in") != "path"}


def capture(case: Case, serve: Any, connect: Any) -> tuple[Seen, FaultyServer]:
    """Make the call; return the request as it arrived. The answer says no more than the result has to hold."""
    result = ALL[case.fact["rest_section"]].result
    answer = {spec.wire: "x" for spec in specs(result).values() if spec.promised} if attrs.has(result) else {}
    server = serve(Desk(lambda seen, wire: (case.fact["success_status"], answer)))
    with connect(server) as client:
        case.make(client)
    seen = server.calls()
    if case.fact["service"] == "Authentication":
        return server.seen[-1], server
    assert len(seen) == 1
    return seen[0], server


@pytest.fixture(params=sorted(FACTS))
def section(request: pytest.FixtureRequest) -> Any:
    return request.param


def test_all_endpoints_are_walked() -> None:
    assert set(ALL) == set(FACTS)


@pytest.mark.parametrize("everything", [True, False], ids=["every field", "mandatory fields"])
def test_a_call_arrives_as_the_reference_has_it(section: str, everything: bool, serve: Any, connect: Any) -> None:
    case = Case(section, everything)
    seen, server = capture(case, serve, connect)

    assert seen.method == case.fact["http_method"]
    assert seen.path == re.sub(r"{\w+}", quote(ODD, safe=""), case.fact["path"])
    assert unquote(seen.path) == re.sub(r"{\w+}", lambda _: ODD, case.fact["path"])

    assert seen.headers["user-agent"] == f"iot-northbound/{__version__}"
    assert seen.headers["host"] == f"127.0.0.1:{server.port}"
    if case.fact["service"] == "Authentication":
        assert not {"app_key", "authorization"} & set(seen.headers)
    else:
        assert seen.headers["app_key"] == APP_ID
        assert re.fullmatch(r"Bearer token-\d{4}-x{20}", seen.headers["authorization"])

    query = (
        dict(parse_qsl(seen.target.partition("?")[2], strict_parsing=True, keep_blank_values=True))
        if "?" in seen.target
        else {}
    )
    body = _body(seen)
    sent = query if case.carries == "query" else body
    _check_fields(case, sent, query)
    if case.carries == "query":
        assert seen.body == b""
        assert "content-type" not in seen.headers


def _body(seen: Seen) -> dict[str, Any]:
    if not seen.body:
        return {}
    assert int(seen.headers["content-length"]) == len(seen.body)
    if seen.path == LOGIN:
        assert seen.headers["content-type"] == "application/x-www-form-urlencoded"
        return dict(parse_qsl(seen.body.decode(), strict_parsing=True))
    assert seen.headers["content-type"] == "application/json; charset=UTF-8"
    value = json.loads(seen.body)
    assert isinstance(value, dict)
    return value


def _check_fields(case: Case, sent: dict[str, Any], query: dict[str, str]) -> None:
    plain = {name: _text(value) for name, value in case.plain.items()}
    if case.carries == "body":
        assert query == plain
    else:
        assert {name: query.get(name) for name in plain} == plain
    if case.fact["rest_section"] == "1.3.1":
        assert sent == {"appId": APP_ID, "secret": SECRET}
        return
    fields = set(sent) - set(plain)
    if case.dto is None:
        assert not fields
    elif case.everything:
        # A class may hold fields of chapter 1 that chapter 2 leaves out, never less than chapter 2.
        assert case.names() <= fields
        documented = case.names() | {field["name"] for field in case.fact["request"]["fields"]}
        assert fields <= documented
        _check_values(case, sent)
    else:
        assert case.mandatory() - {"appId"} <= fields <= case.mandatory()


def _check_values(case: Case, sent: dict[str, Any]) -> None:
    """Types survive: what is text, number, list or object in the facts is so on the wire."""
    structures = case.fact.get("java_request", {}).get("structures", {})
    fields = next(iter(structures.values())) if structures else case.fact["request"]["fields"]
    for field in fields:
        value = sent.get(field["name"])
        if value is None or case.carries == "query":
            continue
        kind = field["type"].partition("(")[0].strip().lower()
        wanted = {"string": str, "integer": int, "int": int, "boolean": bool, "long": int}.get(kind)
        if wanted is not None:
            assert type(value) is wanted, field
        elif kind.startswith("list"):
            assert isinstance(value, list), field
        else:
            assert isinstance(value, dict | list | str), field


def _text(value: Any) -> str:
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)


NESTED = [section for section in sorted(FACTS) if len(FACTS[section].get("java_request", {}).get("structures", {})) > 1]


@pytest.mark.parametrize("nested", NESTED)
def test_nested_structures_carry_every_documented_field(nested: str, serve: Any, connect: Any) -> None:
    structures = FACTS[nested]["java_request"]["structures"]
    case = Case(nested, True)
    seen, _ = capture(case, serve, connect)
    found = set(_keys(json.loads(seen.body)))
    for name, fields in list(structures.items())[1:]:
        assert {field["name"] for field in fields} <= found, name


def _keys(value: Any) -> typing.Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from _keys(inner)
    elif isinstance(value, list):
        for each in value:
            yield from _keys(each)


def test_the_client_shows_its_certificate(serve: Any, connect: Any) -> None:
    shown: list[Any] = []

    def look(seen: Seen, wire: Any) -> Any:
        shown.append(wire.socket.getpeercert())
        return 200, {}

    server = serve(Desk(look))
    with connect(server) as client:
        client.device_management.query_device_status("d-1")
    assert shown[0]["subject"] == ((("commonName", "client"),),)
