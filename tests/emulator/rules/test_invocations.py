"""Calling a service of a connected device: 1.7.7."""

from __future__ import annotations

from typing import Any

import pytest

from iot_northbound.emulator.kernel.platform import Platform
from iot_northbound.emulator.rules import devices, invocations, models, scripts
from tests.emulator.calling import Answer, Caller, code_of
from tests.emulator.scene import DEVICES, pushed, response_fields, settle, subscribe

GATEWAY, SENSOR = "home-gateway-mqtt", "climate-sensor-zigbee"


@pytest.fixture
def gateway(app: Caller) -> str:
    device_id = app.register("gw", productId=GATEWAY)
    devices.set_online(app.platform, device_id)
    return device_id


PARAS = {"RESTART": {}, "PERMIT_JOIN": {"seconds": 5}, "SET_REPORT_INTERVAL": {"seconds": 60}}
URL = "https://na.example/confirm"


def call(
    app: Caller, device_id: str, service_id: str = "Gateway", paras: dict[str, Any] | None = None, **header: Any
) -> Answer:
    given = PARAS.get(header.get("method") or "RESTART", {}) if paras is None else paras
    body = {"header": {"mode": "ACK", "method": "RESTART", **header}, "body": given}
    return app.call("POST", f"/iocm/app/signaltrans/v1.1.0/devices/{device_id}/services/{service_id}/sendCommand", body)


def test_a_call_is_answered_as_sent_with_its_own_or_a_new_id(app: Caller, gateway: str) -> None:
    answer = call(app, gateway, requestId="mine")
    assert answer.status == 202
    assert answer.body == {"requestId": "mine", "status": "sent", "timestamp": app.platform.now_text()}
    assert answer.body.keys() == response_fields("1.7.7")
    assert len(call(app, gateway).body["requestId"]) == 32


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ({"mode": "PERHAPS"}, (400, "100022")),
        ({"mode": None}, (400, "100022")),
        ({"method": None}, (400, "100022")),
        ({"callbackURL": "nowhere"}, (400, "100022")),
        ({"toType": "MOON"}, (404, "100444")),
        ({"method": "EXPLODE"}, (400, "102203")),
    ],
)
def test_an_impossible_call_is_refused(
    app: Caller, gateway: str, header: dict[str, Any], code: tuple[int, str]
) -> None:
    assert code_of(call(app, gateway, **header)) == code


def test_a_call_needs_a_known_device_with_that_service_that_is_online(app: Caller, other: Caller, gateway: str) -> None:
    assert code_of(call(other, gateway)) == (200, "100418")
    assert code_of(call(app, gateway, "Oven")) == (404, "100444")
    assert code_of(call(app, app.register("plain"))) == (404, "100444")
    sensor = devices.add_sub_device(app.platform, gateway, "s", productId=SENSOR)["deviceId"]
    assert call(app, sensor, "Climate", method="SET_REPORT_INTERVAL").status == 202
    devices.set_offline(app.platform, gateway)
    assert code_of(call(app, gateway)) == (200, "100428")
    assert code_of(call(app, sensor, "Climate", method="SET_REPORT_INTERVAL")) == (403, "100450")


def test_a_muted_command_is_refused_and_the_muting_is_pushed(app: Caller, gateway: str) -> None:
    subscribe(app, "serviceInfoChanged")
    devices.report(app.platform, gateway, "Gateway", {"cpuLoad": 3})
    invocations.mute(app.platform, gateway, "Gateway", ["RESTART"])
    assert code_of(call(app, gateway)) == (200, "100432")
    assert call(app, gateway, method="PERMIT_JOIN").status == 202
    assert pushed(app.platform)[0]["serviceInfo"] == {"muteCmds": ["RESTART"]}
    devices.report(app.platform, gateway, "Gateway", {"cpuLoad": 4})
    services = app.device(gateway).body["services"]
    assert services[0]["serviceInfo"] == {"muteCmds": ["RESTART"]}
    invocations.mute(app.platform, gateway, "Gateway", [])
    assert call(app, gateway).status == 202
    with pytest.raises(ValueError, match="no service"):
        invocations.mute(app.platform, gateway, "Oven", [])


def test_the_devices_reactions_come_as_notifications(app: Caller, gateway: str) -> None:
    for kind in ("messageConfirm", "commandRsp"):
        subscribe(app, kind)
    scripts.attach(app.platform, gateway, result={"uptime": 0})
    call(app, gateway, requestId="r", **{"from": "/users/u"})
    settle(app.platform)
    confirms = pushed(app.platform, "messageConfirm")
    assert [body["header"]["status"] for body in confirms] == ["sent", "delivered", "executed"]
    assert {body["header"]["to"] for body in confirms} == {"/users/u"}
    (response,) = pushed(app.platform, "commandRsp")
    assert response["header"] == {
        "requestId": "r",
        "from": f"/devices/{gateway}/services/Gateway",
        "to": "/users/u",
        "deviceId": gateway,
        "serviceType": "Gateway",
        "method": "RESTART_RSP",
    }
    assert response["body"] == {"uptime": 0}


def test_without_ack_only_the_answer_comes_back(app: Caller, gateway: str) -> None:
    for kind in ("messageConfirm", "commandRsp"):
        subscribe(app, kind)
    scripts.attach(app.platform, gateway)
    call(app, gateway, mode="NOACK")
    settle(app.platform)
    assert [body["notifyType"] for body in pushed(app.platform)] == ["commandRsp"]


def heard(app: Caller) -> list[str]:
    """Return the statuses that were pushed to the call's own URL, oldest first."""
    return [body["header"]["status"] for body in pushed(app.platform, "messageConfirm", url=URL)]


@pytest.mark.parametrize(
    ("mode", "script", "statuses"),
    [
        ("ACK", {"answer": "success"}, ["sent", "delivered", "executed"]),
        ("ACK", {"answer": "fail"}, ["sent", "delivered", "failed"]),
        ("ACK", {"answer": "never"}, ["sent", "delivered", "timeout"]),
        ("ACK", {"acknowledge": False}, ["sent", "timeout"]),
        ("NOACK", {"answer": "success"}, ["sent", "executed"]),
        ("NOACK", {"answer": "fail"}, ["sent", "failed"]),
        ("NOACK", {"acknowledge": False}, ["sent", "timeout"]),
    ],
)
def test_each_outcome_is_pushed_to_the_calls_own_callback_url(
    app: Caller, gateway: str, mode: str, script: dict[str, Any], statuses: list[str]
) -> None:
    scripts.attach(app.platform, gateway, **script)
    call(app, gateway, mode=mode, callbackURL=URL)
    app.platform.advance(app.platform.settings.command_answer_timeout)
    assert heard(app) == statuses
    app.platform.advance(2 * app.platform.settings.command_answer_timeout)
    assert heard(app) == statuses


def test_a_timeout_is_pushed_to_the_calls_url_only(app: Caller, gateway: str) -> None:
    subscribe(app, "messageConfirm")
    call(app, gateway, callbackURL=URL)
    app.platform.advance(app.platform.settings.command_answer_timeout - 1)
    assert heard(app) == ["sent"]
    app.platform.advance(1)
    assert heard(app) == ["sent", "timeout"]
    assert len(pushed(app.platform, "messageConfirm")) == 3


def test_the_calls_of_a_deleted_device_have_failed(app: Caller, gateway: str) -> None:
    call(app, gateway, callbackURL=URL)
    app.call("DELETE", f"{DEVICES}/{gateway}")
    assert heard(app) == ["sent", "failed"]


def test_an_answer_after_the_end_is_ignored(app: Caller, gateway: str) -> None:
    subscribe(app, "commandRsp")
    call(app, gateway, requestId="r", callbackURL=URL)
    row = invocations.find(app.platform, gateway, "r")
    assert row is not None
    app.platform.advance(app.platform.settings.command_answer_timeout)
    invocations.delivered(app.platform, row["invocationId"])
    invocations.answered(app.platform, row["invocationId"], {})
    assert heard(app) == ["sent", "timeout"]
    assert pushed(app.platform, "commandRsp") == []
    invocations.answered(app.platform, "none", {})


class TestTheRecipientCloud:
    """With toType CLOUD the answer itself says whether the device has the call, and has no requestId."""

    @pytest.mark.parametrize(
        ("script", "status"),
        [
            (None, "delivered"),
            ({}, "delivered"),
            ({"answer": "never"}, "delivered"),
            ({"acknowledge": False}, "failed"),
        ],
    )
    def test_a_connected_device_gets_the_call_if_it_takes_calls(
        self, app: Caller, gateway: str, script: dict[str, Any] | None, status: str
    ) -> None:
        if script is not None:
            scripts.attach(app.platform, gateway, **script)
        answer = call(app, gateway, toType="CLOUD", requestId="mine")
        assert answer.status == 202
        assert answer.body == {"requestId": None, "status": status, "timestamp": app.platform.now_text()}

    def test_a_device_that_cannot_be_reached_gives_failed_and_no_error(self, app: Caller, gateway: str) -> None:
        sensor = devices.add_sub_device(app.platform, gateway, "s", productId=SENSOR)["deviceId"]
        scripts.attach(app.platform, sensor, asleep=True)
        app.platform.advance(60)
        to_sensor = {"method": "SET_REPORT_INTERVAL", "toType": "CLOUD", "callbackURL": URL}
        assert call(app, sensor, "Climate", **to_sensor).body["status"] == "failed"  # asleep
        devices.set_offline(app.platform, gateway)
        for answer in (call(app, gateway, toType="CLOUD"), call(app, sensor, "Climate", **to_sensor)):
            assert (answer.status, answer.body["status"], answer.body["requestId"]) == (202, "failed", None)
        assert heard(app) == ["failed", "failed"]

    def test_invalid_calls_are_refused_with_leniency_too(self, app: Caller, other: Caller, gateway: str) -> None:
        invocations.mute(app.platform, gateway, "Gateway", ["RESTART"])
        assert code_of(call(app, gateway, toType="CLOUD")) == (200, "100432")
        assert code_of(call(app, gateway, toType="CLOUD", method="EXPLODE")) == (400, "102203")
        assert code_of(call(other, gateway, toType="CLOUD")) == (200, "100418")

    def test_the_devices_answer_comes_as_for_other_recipients(self, app: Caller, gateway: str) -> None:
        subscribe(app, "commandRsp")
        scripts.attach(app.platform, gateway)
        call(app, gateway, toType="CLOUD", requestId="mine", callbackURL=URL)
        settle(app.platform)
        assert heard(app) == ["sent", "delivered", "executed"]
        assert [body["header"]["requestId"] for body in pushed(app.platform, "commandRsp")] == ["mine"]


class TestTheBody:
    """The body is checked against the command's parameters in the product model, as in 1.7.1."""

    @pytest.mark.parametrize(
        ("method", "paras", "word"),
        [
            ("PERMIT_JOIN", {}, "seconds is missing"),
            ("PERMIT_JOIN", {"seconds": None}, "seconds is missing"),
            ("PERMIT_JOIN", {"seconds": 255}, "at most 254"),
            ("PERMIT_JOIN", {"seconds": -1}, "at least 0"),
            ("PERMIT_JOIN", {"seconds": "soon"}, "type int"),
            ("PERMIT_JOIN", {"seconds": 5, "minutes": 1}, "minutes is not a parameter"),
            ("RESTART", {"seconds": 5}, "seconds is not a parameter"),
        ],
    )
    def test_a_body_that_does_not_fit_is_refused(
        self, app: Caller, gateway: str, method: str, paras: dict[str, Any], word: str
    ) -> None:
        answer = call(app, gateway, method=method, paras=paras)
        assert code_of(answer) == (400, "100022")
        assert word in answer.body["error_desc"]
        assert invocations.of_device(app.platform, gateway) == []

    def test_a_command_without_parameters_needs_no_body(self, app: Caller, gateway: str) -> None:
        path = f"/iocm/app/signaltrans/v1.1.0/devices/{gateway}/services/Gateway/sendCommand"
        assert app.call("POST", path, {"header": {"mode": "ACK", "method": "RESTART"}}).status == 202


class TestRequestIds:
    """A requestId is used once, by any of the application's calls, for ever."""

    def test_one_that_was_used_is_refused(self, app: Caller, gateway: str) -> None:
        assert call(app, gateway, requestId="mine").status == 202
        answer = call(app, gateway, requestId="mine")
        assert code_of(answer) == (400, "100022")
        assert "used before" in answer.body["error_desc"]
        app.platform.advance(2 * app.platform.settings.command_answer_timeout)
        assert code_of(call(app, gateway, requestId="mine", method="PERMIT_JOIN")) == (400, "100022")

    def test_one_that_the_platform_made_or_that_failed_at_once_is_used_too(self, app: Caller, gateway: str) -> None:
        made = call(app, gateway).body["requestId"]
        assert code_of(call(app, gateway, requestId=made)) == (400, "100022")
        devices.set_offline(app.platform, gateway)
        assert call(app, gateway, requestId="mine", toType="CLOUD").status == 202
        devices.set_online(app.platform, gateway)
        assert code_of(call(app, gateway, requestId="mine")) == (400, "100022")

    def test_one_of_a_refused_call_is_not_used(self, app: Caller, gateway: str) -> None:
        devices.set_offline(app.platform, gateway)
        assert code_of(call(app, gateway, requestId="mine")) == (200, "100428")
        devices.set_online(app.platform, gateway)
        assert call(app, gateway, requestId="mine").status == 202

    def test_applications_are_separate_and_an_empty_app_id_counts_as_missing(
        self, app: Caller, other: Caller, gateway: str
    ) -> None:
        foreign = other.register("gw2", productId=GATEWAY)
        devices.set_online(app.platform, foreign)
        assert call(app, gateway, requestId="mine").status == 202
        assert call(other, foreign, requestId="mine").status == 202
        assert [call(app, gateway, requestId="").status for _ in range(2)] == [202, 202]


class TestTheNameOfTheResponse:
    """commandRsp names the response of the product model, not the command."""

    RESPONSES = (
        [{"responseName": "DONE"}, {"responseName": "REFUSED"}],
        [],
    )

    @pytest.fixture
    def device(self, app: Caller) -> str:
        commands = [
            {"commandName": name, "responses": responses}
            for name, responses in zip(("MOVE", "SING"), self.RESPONSES, strict=True)
        ]
        service = {"serviceId": "Arm", "serviceType": "RobotArm", "commands": commands}
        identity = {"manufacturerId": "M", "manufacturerName": "M", "deviceType": "Robot", "model": "R1"}
        model = {"productId": "robot", **identity, "protocolType": "MQTT", "services": [service]}
        models.add_model(app.platform, app.app_id, model)
        device_id = app.register("r", productId="robot")
        devices.set_online(app.platform, device_id)
        subscribe(app, "commandRsp")
        return device_id

    def answer(self, app: Caller, device_id: str, method: str, **fields: Any) -> str:
        request_id = call(app, device_id, "Arm", method=method).body["requestId"]
        row = invocations.find(app.platform, device_id, request_id)
        assert row is not None
        invocations.answered(app.platform, row["invocationId"], {}, **fields)
        (message,) = pushed(app.platform, "commandRsp")
        assert message["header"]["serviceType"] == "RobotArm"
        return str(message["header"]["method"])

    def test_it_is_the_first_one_by_default(self, app: Caller, device: str) -> None:
        assert self.answer(app, device, "MOVE") == "DONE"

    def test_it_can_be_chosen(self, app: Caller, device: str) -> None:
        assert self.answer(app, device, "MOVE", ok=False, response="REFUSED") == "REFUSED"
        with pytest.raises(ValueError, match="has no response 'LATER'; it has DONE, REFUSED"):
            self.answer(app, device, "MOVE", response="LATER")

    def test_it_is_made_from_the_commands_name_if_the_model_has_no_response(self, app: Caller, device: str) -> None:
        assert self.answer(app, device, "SING") == "SING-RSP"


def test_acknowledgement_and_answer_are_signs_of_life(app: Caller, gateway: str) -> None:
    row = invocations.find(app.platform, gateway, call(app, gateway).body["requestId"])
    assert row is not None
    for step in (
        lambda: invocations.delivered(app.platform, row["invocationId"]),
        lambda: invocations.answered(app.platform, row["invocationId"], {}),
    ):
        app.platform.advance(10)
        step()
        assert devices.need(app.platform, gateway)["heard"] == app.platform.now()


def test_callback_urls_at_two_places_are_warned_of(app: Caller, gateway: str, caplog: pytest.LogCaptureFixture) -> None:
    subscribe(app, "deviceAdded", "https://na.example:9443/in")
    call(app, gateway, callbackURL=URL)
    assert "na.example:9443 and na.example:443" in caplog.text


def test_a_restart_keeps_open_calls_and_used_ids(app: Caller, gateway: str) -> None:
    call(app, gateway, requestId="mine", callbackURL=URL)
    again = Platform(clock=app.platform.clock)
    again.load([(table, key, row) for table, key, row in app.platform.take_changes() if row is not None])
    restarted = Caller(again).login()
    assert code_of(call(restarted, gateway, requestId="mine")) == (400, "100022")
    again.advance(again.settings.command_answer_timeout)
    assert heard(restarted) == ["sent", "timeout"]
