from __future__ import annotations

import pytest

from iot_northbound.emulator.kernel.calls import Answer, Route
from iot_northbound.emulator.kernel.platform import Platform
from iot_northbound.emulator.kernel.routing import ROUTES, RouteTable
from tests.facts import ENDPOINTS


def rule(*_: object) -> Answer:
    return Answer(200)


@pytest.fixture
def table() -> RouteTable:
    table = RouteTable()
    table.add(Route("a", "GET", "/x/devices/{id}", rule))
    table.add(Route("b", "GET", "/x/devices/ids", rule))
    table.add(Route("c", "PUT", "/x/devices/{id}/services/{service}", rule))
    return table


@pytest.mark.parametrize(
    ("path", "section", "values"),
    [
        ("/x/devices/17", "a", ["17"]),
        ("/x/devices/ids", "b", []),
        ("/x/devices/a%2Fb%20c/services/%E6%B0%B4", "c", ["a/b c", "水"]),
        ("/x/devices/{id}", "a", ["{id}"]),
        ("/x/devices/17/", "a", ["17"]),
        ("/x/devices/ids/", "b", []),
        ("/x/devices/17/services/a%2F/", "c", ["17", "a/"]),
    ],
)
def test_paths_find_their_routes(table: RouteTable, path: str, section: str, values: list[str]) -> None:
    found = table.find(path)
    assert found is not None
    routes, ids = found
    assert [route.section for route in routes.values()] == [section]
    assert ids == values


@pytest.mark.parametrize("path", ["", "/", "x/devices/17", "/x/devices/", "/x/devices", "/x/devices/17//", "//x/devices/17", "/x/devices//services/a", "/x/devices//", "/{}"])  # fmt: skip  # noqa: E501
def test_other_paths_find_nothing(table: RouteTable, path: str) -> None:
    assert table.find(path) is None


def test_a_route_is_declared_once(table: RouteTable) -> None:
    with pytest.raises(ValueError, match="declared twice"):
        table.add(Route("d", "GET", "/x/devices/{other}", rule))


def test_every_route_is_in_the_reference(platform: Platform) -> None:
    documented = {(each["rest_section"], each["http_method"], each["path"]) for each in ENDPOINTS}
    declared = {(route.section, route.method, route.template) for route in ROUTES.routes}
    assert declared <= documented


def test_these_sections_are_answered(platform: Platform) -> None:
    mine = ("1.3.", "1.4.", "1.5.")
    documented = {each["rest_section"] for each in ENDPOINTS if each["rest_section"].startswith(mine)}
    assert documented == {route.section for route in ROUTES.routes if route.section.startswith(mine)}
