"""The rule modules mention every documented code."""

from __future__ import annotations

import pytest

from iot_northbound.emulator import coverage
from iot_northbound.emulator.kernel.routing import ROUTES
from tests.facts import ENDPOINTS


def test_every_documented_endpoint_has_a_rule_at_its_path() -> None:
    coverage.codes()
    served = {route.section: (route.method, route.template) for route in ROUTES.routes}
    documented = {each["rest_section"]: (each["http_method"], each["path"]) for each in ENDPOINTS}
    assert served == documented


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda each: str(each["rest_section"]))
def test_every_documented_code_is_mentioned(endpoint: dict[str, object]) -> None:
    section, errors = endpoint["rest_section"], endpoint["errors"]
    assert isinstance(errors, list)
    known = coverage.codes()
    assert [error["code"] for error in errors if (section, error["code"]) not in known] == []


def test_a_code_that_is_not_reached_by_state_says_why() -> None:
    for (section, code), how in coverage.codes().items():
        reason = how if coverage.kind_of(how) == "state" else how.partition(":")[2]
        assert len(reason.strip()) > 10, (section, code)
