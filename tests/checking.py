"""Runs BasicTest for a test, and keeps its steps."""

import json
from collections.abc import Callable
from typing import Any

import attrs

from iot_northbound import ClientInfo, HttpConfig, SSLConfig
from iot_northbound.basic_test import CLEAN_UP, STEPS, BasicTest, Report, Step
from iot_northbound.emulator import Emulator
from iot_northbound.profiles import load_profile
from tests.clock import FakeClock

FILES, ADDRESS, HANDSHAKE, SIGN_IN, RENEWAL, REGISTERING, CHANGING, DELETING = STEPS
BROKEN = {"error_code": "50252", "error_desc": "out of order"}


class Check:
    """Runs BasicTest and keeps its steps."""

    def __init__(self, emulator: Emulator) -> None:
        settings = load_profile(emulator.profile_path)
        self.info: ClientInfo = settings.client_info
        self.tls: SSLConfig | None = settings.ssl_config
        self.clock = FakeClock()
        self.steps: list[Step] = []

    def run(self, on_step: Callable[[Step], None] | None = None, **http: Any) -> Report:
        def note(step: Step) -> None:
            self.steps.append(step)
            if on_step:
                on_step(step)

        info = attrs.asdict(self.info)
        settings = HttpConfig(max_attempts=1, **http)
        report = BasicTest.begin_basic_test(**info, ssl_config=self.tls, http=settings, on_step=note, clock=self.clock)
        assert report.steps == tuple(self.steps)
        return report

    def failed_at(self, name: str, **http: Any) -> Step:
        """Run, and return the step of this name, the only one of STEPS that failed."""
        report = self.run(**http)
        names = [step.name for step in report.steps if step.name != CLEAN_UP]
        assert names == list(STEPS)
        assert not report.passed
        at = STEPS.index(name)
        assert [step.mark for step in report.steps[: len(STEPS)]] == ["[Y]"] * at + ["[X]"] + ["[-]"] * (7 - at)
        failed = report.steps[at]
        assert failed.cause
        assert failed.remedy
        shown = repr(report) + "".join(step.line() for step in report.steps) + json.dumps(report.as_json())
        assert self.info.secret not in shown
        assert "basic-test" not in failed.line()  # it must not recommend itself
        if self.tls and self.tls.self_cert_pwd:
            assert self.tls.self_cert_pwd not in shown
        return failed

    def at(self, server: Any, tls: SSLConfig | None) -> "Check":
        """Check another server from now on."""
        self.info = attrs.evolve(self.info, platform_ip=server.host, platform_port=server.port)
        self.tls = tls
        return self

    @property
    def clean_up(self) -> Step:
        assert self.steps[-1].name == CLEAN_UP
        return self.steps[-1]
