"""Sample projects that are run by real pytest, as an application's own tests are."""

from __future__ import annotations

import re

import pytest

# Loaded here, since pytest forgets what a run in this process has imported, and some modules cannot be loaded twice.
from iot_northbound.testing import devices, platform, receiving, serving

assert all((devices, platform, receiving, serving))
pytest_plugins = ["pytester"]
BARE = (
    "-p",
    "no:cacheprovider",
    "-p",
    "no:schemathesis",
    "-p",
    "no:hypothesispytest",
    "-p",
    "no:asyncio",
    "-p",
    "no:anyio",
)
"""Without plugins of others, which take long to load in a process of its own."""

KEEPS_APART = """
import time
import pytest

seen = {}

def state(platform):
    control = platform.emulator.control
    rows = {name: count for name, count in control.health()["rows"].items() if name not in ("meta", "timers")}
    assert abs(control.clock()["now"] - time.time()) < 60
    return rows, control.settings(), control.faults(), control.journal(), control.snapshots(), control.pushes()

@pytest.fixture
def clean(iot_platform):
    return seen.setdefault("first", state(iot_platform)) == state(iot_platform)

def test_starts_clean(clean): assert clean

def test_settings(clean, iot_platform):
    assert clean
    iot_platform.control.change_settings(flow_control=True, calls_per_minute=1, token_lifetime=1)

def test_faults_and_time(clean, iot_platform):
    assert clean
    iot_platform.control.add_fault("reset")
    iot_platform.control.freeze(1_000_000_000)
    iot_platform.control.seed_ids("x")

def test_state_and_pushes_on_their_way(clean, iot_platform, iot_device, north_client):
    assert clean
    north_client.subscription_management.ensure("https://127.0.0.1:9/in", ["deviceDataChanged"])
    iot_device("same").report("WaterMeter", {"totalVolume": 1})
    iot_device.mqtt("other").client.report("WaterMeter", {"totalVolume": 1})
    iot_platform.control.snapshot("mine")
    iot_platform.control.clear_journal(bodies=True)

def test_applications(clean, iot_platform, iot_application, iot_device, north_client):
    assert clean
    mine, theirs = iot_device("same"), iot_device("theirs", application=iot_application)
    assert [each.device_id for each in north_client.data_collection.iter_devices()] == [mine.device_id]
    with iot_application.client() as client:
        assert [each.device_id for each in client.data_collection.iter_devices()] == [theirs.device_id]
    with pytest.raises(RuntimeError, match="iot_device.mqtt"):
        mine.client
    own = north_client.data_collection.query_single_device_info(theirs.device_id, app_id=iot_application.app_id)
    assert own.device_info.node_id == "theirs"
    assert iot_application.secret not in repr(iot_application)
    seen["app"] = iot_platform.application.app_id

def test_ends_clean(clean, iot_platform):
    assert clean
    assert seen.get("app") != iot_platform.application.app_id

@pytest.mark.iot_settings(token_lifetime=77)
@pytest.mark.iot_settings(calls_per_minute=5)
def test_settings_by_marker(iot_platform):
    settings = iot_platform.control.settings()
    assert (settings["token_lifetime"], settings["calls_per_minute"]) == (77, 5)

@pytest.mark.iot_faults("answer", status=500, count=1, body={"error_code": "50252"})
@pytest.mark.iot_faults("latency", seconds=0)
def test_faults_by_marker(north_client, iot_platform):
    faults = iot_platform.control.faults()
    assert [(each["kind"], each["struck"]) for each in faults] == [("answer", 0), ("latency", 0)]
"""


def test_nothing_leaks_from_one_test_to_the_next_in_any_order(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(KEEPS_APART)
    names = re.findall(r"^def (test_\w+)", KEEPS_APART, re.MULTILINE)
    file = "test_nothing_leaks_from_one_test_to_the_next_in_any_order.py"
    again = [f"{file}::{name}" for name in (*names, *reversed(names))]
    run = pytester.runpytest_inprocess(*BARE, "--keep-duplicates", *again)
    assert run.parseoutcomes()["passed"] >= len(names), run.stdout.str()
    assert run.ret == 0
    pytester.makeconftest(
        "def pytest_collection_modifyitems(items): items.reverse()\n"
        "import pytest\n"
        "@pytest.fixture(scope='session')\n"
        "def iot_platform_options(): return {'token_lifetime': 99, 'mqtt_port': 0}\n"
    )
    pytester.runpytest_inprocess(*BARE).assert_outcomes(passed=len(names))


def test_the_workers_of_xdist_have_a_platform_each(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        KEEPS_APART
        + """
@pytest.mark.parametrize("number", range(8))
def test_devices_of_one_name(number, iot_device, north_client):
    iot_device("same")
    assert len(list(north_client.data_collection.iter_devices())) == 1
"""
    )
    run = pytester.runpytest_subprocess(*BARE, "-n", "2", timeout=200)
    run.assert_outcomes(passed=16)


def test_a_marker_that_cannot_be_used_fails_its_test_in_one_line(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.iot_settings(flow_controll=True)
        def test_unknown_setting(iot_platform): pass

        @pytest.mark.iot_settings(token_lifetime=0)
        def test_out_of_range(iot_platform): pass

        @pytest.mark.iot_settings(True)
        def test_no_name(iot_platform): pass

        @pytest.mark.iot_faults("answr")
        def test_unknown_fault(iot_platform): pass

        @pytest.mark.iot_faults("reset", endpoint="GET /nowhere")
        def test_unknown_endpoint(iot_platform): pass

        @pytest.mark.iot_faults("reset")
        def test_without_a_platform(): pass

        @pytest.mark.iot_settings(flow_control=True)
        class TestAll:
            def test_without_a_platform(self): pass

        def test_after_them(iot_platform):
            assert iot_platform.control.faults() == []
        """
    )
    run = pytester.runpytest_inprocess(*BARE)
    run.assert_outcomes(passed=1, failed=2, errors=5)
    run.stdout.re_match_lines_random(
        [
            r".*::test_unknown_setting: .*iot_settings cannot be used: flow_controll is not known; known are: token_",
            r".*::test_out_of_range: .*iot_settings cannot be used: token_lifetime must be from 1 to",
            r".*::test_no_name: .*iot_settings cannot be used: too many positional arguments",
            r".*::test_unknown_fault: .*iot_faults cannot be used: kind must be one of latency,",
            r".*::test_unknown_endpoint: .*iot_faults cannot be used: .*GET /nowhere",
            r".*::test_without_a_platform is marked with iot_faults, but the test has no platform to change",
        ]
    )
    assert "Traceback" not in run.stdout.str()
    assert "def call(" not in run.stdout.str()


def test_a_run_that_uses_no_fixture_loads_nothing_but_the_plugin(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import sys

        def test_what_is_loaded():
            ours = {name for name in sys.modules if name.startswith("iot_northbound")}
            assert ours == {
                "iot_northbound",
                "iot_northbound._lazy",
                "iot_northbound._version",
                "iot_northbound.testing",
                "iot_northbound.testing.entry",
                "iot_northbound.testing.plugin",
            }
        """
    )
    pytester.runpytest_subprocess(*BARE, timeout=100).assert_outcomes(passed=1)


def test_a_fixture_names_the_extra_that_is_missing(pytester: pytest.Pytester) -> None:
    pytester.makeconftest("import sys; sys.modules['uvicorn'] = None")
    pytester.makepyfile("def test_one(north_client): pass\n\ndef test_other(): pass")
    run = pytester.runpytest_subprocess(*BARE, timeout=100)
    run.assert_outcomes(passed=1, errors=1)
    run.stdout.fnmatch_lines(["*uvicorn is not installed: pip install 'iot-northbound?emulator?'*"])


@pytest.mark.parametrize("named", ["by an option", "by a conftest.py", "not"])
def test_a_plugin_that_is_named_too_is_loaded_once(pytester: pytest.Pytester, named: str) -> None:
    if named == "by a conftest.py":
        pytester.makeconftest("pytest_plugins = ['iot_northbound.testing.plugin']")
    pytester.makepyfile(
        """
        def test_one(request):
            plugins = request.config.pluginmanager.get_plugins()
            loaded = [each.__name__ for each in plugins if hasattr(each, "iot_platform")]
            assert loaded == ["iot_northbound.testing.plugin"]
        """
    )
    options = ("-p", "iot_northbound.testing.plugin") if named == "by an option" else ()
    pytester.runpytest_subprocess(*BARE, *options, timeout=100).assert_outcomes(passed=1)


def test_the_plugin_can_be_switched_off(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_one(iot_platform): pass")
    run = pytester.runpytest_subprocess(*BARE, "-p", "no:iot_northbound", timeout=100)
    run.stdout.fnmatch_lines(["*fixture 'iot_platform' not found*"])
