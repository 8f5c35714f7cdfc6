"""What the run of the tests needs: reports that a worker can send, and signals."""

import json
import signal

import pytest

from tests import conftest


@pytest.mark.parametrize("failed", [False, True])
def test_a_worker_can_send_what_a_test_logs(request: pytest.FixtureRequest, failed: bool) -> None:
    text = "it's \ud800, ü and 温度"
    report = pytest.TestReport(
        nodeid="test_it",
        location=("test_it.py", 1, "test_it"),
        keywords={"ü": 1},
        outcome="failed" if failed else "passed",
        longrepr=text if failed else None,
        when="call",
        sections=[("Captured log call", text)],
        user_properties=[("what", text)],
    )
    sent = request.config.hook.pytest_report_to_serializable(config=request.config, report=report)
    assert json.dumps(sent, ensure_ascii=False).encode()
    back = request.config.hook.pytest_report_from_serializable(config=request.config, data=sent)
    assert back.sections == [("Captured log call", r"it's \ud800, ü and 温度")]
    assert back.keywords == {"ü": 1}


def test_the_tests_take_sigint_also_where_the_shell_ignores_it() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        conftest.pytest_configure()
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)
