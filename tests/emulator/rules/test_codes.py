"""Every documented code is reached as its module says, or named as not reachable."""

from __future__ import annotations

import pytest

from iot_northbound.emulator import coverage
from iot_northbound.emulator.kernel.platform import Platform
from iot_northbound.emulator.rules import applications
from tests.emulator.calling import code_of
from tests.emulator.rules import scenarios_commands, scenarios_devices, scenarios_groups
from tests.emulator.rules.reaching import DOCUMENTED, REACHED
from tests.emulator.rules.world import GUARDED, World
from tests.emulator.scene import response_fields
from tests.facts import BY_SECTION

SCENARIOS = (scenarios_commands, scenarios_devices, scenarios_groups)
"""Imported because importing them fills REACHED."""
CODES = coverage.codes()


def test_every_documented_code_is_accounted_for_and_no_other() -> None:
    assert set(CODES) == set(DOCUMENTED)


def test_each_code_that_is_reached_has_a_scenario() -> None:
    said = {key for key, how in CODES.items() if not how.startswith(("fault:", "unreachable:"))}
    assert said == set(REACHED)


@pytest.mark.parametrize(("section", "code"), sorted(REACHED))
def test_the_code_is_reached_with_a_documented_status(platform: Platform, section: str, code: str) -> None:
    answer = REACHED[section, code](World(platform, section))
    assert code_of(answer)[1] == code, answer
    assert answer.status in DOCUMENTED[section, code]


@pytest.mark.parametrize("section", BY_SECTION)
def test_a_valid_call_answers_the_documented_status_and_fields(platform: Platform, section: str) -> None:
    answer = World(platform, section).call()
    assert answer.status == BY_SECTION[section]["success_status"], answer
    assert code_of(answer)[1] is None
    # clientIds come with MQTT subscriptions, tags if they are selected.
    expected = response_fields(section) - {"clientIds", "tags"}
    assert set(answer.body or ()) == expected


OF_DEVICES = [each for each in GUARDED if each.startswith(("1.4.", "1.5.")) and each not in ("1.4.1", "1.4.2", "1.4.3")]


@pytest.mark.parametrize("section", OF_DEVICES)
def test_without_its_application_a_call_about_devices_is_refused(platform: Platform, section: str) -> None:
    world = World(platform, section)
    applications.remove_application(platform, "app-one")
    assert code_of(world.call()) == (500, "100203")
