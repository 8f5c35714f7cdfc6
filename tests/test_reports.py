"""What `make test` needs of its workers, besides the tests."""

import json

import pytest


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
