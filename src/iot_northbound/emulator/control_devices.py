"""The part of the control plane that stands for devices: what they report, and how they answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NotRequired, TypedDict

from iot_northbound.emulator.control_base import ControlBase, NotFound, Row, operation
from iot_northbound.emulator.control_operations import types_of
from iot_northbound.emulator.control_schema import check
from iot_northbound.emulator.state import command_flow, devices, events, invoke, scripted, shadow, upgrade_flow


class ServiceReport(TypedDict):
    """What a report says of one service; `event_time` is a time text, now by default."""

    service_id: str
    data: dict[str, Any]
    event_time: NotRequired[str | None]


class ScriptedReport(TypedDict):
    """What a scripted device reports of one service."""

    service_id: str
    data: dict[str, Any]
    increments: NotRequired[dict[str, float]]


class DeviceControl(ControlBase):
    """What a test lets devices do."""

    @operation()
    def report(
        self,
        device_id: str,
        service_id: str,
        data: Row,
        event_time: str | None = None,
        request_id: str | None = None,
    ) -> None:
        """Let a device report data of one service, as its radio would: it is active and online from then on.

        Args:
            device_id: The device.
            service_id: A service of its model.
            data: The service's properties.
            event_time: Time text, as in `20250301T101500Z`; now by default.
            request_id: What the pushes say as requestId; null by default.
        """
        devices.report(self._platform, self._device(device_id), service_id, data, event_time, request_id)

    @operation()
    def report_services(self, device_id: str, services: Sequence[ServiceReport], request_id: str | None = None) -> None:
        """Let a device report data of several services at once: deviceDatasChanged then has them all.

        Args:
            device_id: The device.
            services: At least one: `service_id`, `data`, and if wanted `event_time`, as for `report`.
            request_id: What the pushes say as requestId; null by default.
        """
        checked = check(services, types_of("report_services")["services"], "report_services: services")
        given = [
            {"serviceId": each["service_id"], "data": each["data"], "eventTime": each.get("event_time")}
            for each in checked
        ]
        devices.report_services(self._platform, self._device(device_id), given, request_id)

    @operation()
    def report_alarm(self, device_id: str, severity: str, status: bool = True, alarm_time: str | None = None) -> None:
        """Let a device report an alarm, which replaces the one before (alarmInfo of the device queries).

        Args:
            device_id: The device.
            severity: How severe it is, in the device's own words.
            status: Whether the alarm is on, or over.
            alarm_time: Time text, as in `20250301T101500Z`; now by default.
        """
        devices.report_alarm(self._platform, self._device(device_id), severity, on=status, alarm_time=alarm_time)

    @operation()
    def activate(self, device_id: str) -> None:
        """Let a device connect for the first time and leave again; one that was there before is left alone.

        Its bindDevice says ONLINE, since it is connected at that moment. It is OFFLINE afterwards.
        """
        devices.activate(self._platform, self._device(device_id))

    @operation()
    def set_online(self, device_id: str, online: bool = True, detail: str | None = None) -> None:
        """Bring a device online, or take it offline.

        Args:
            device_id: The device.
            online: Whether it is connected.
            detail: Its statusDetail, one of the values that the reference lists; by default `NONE`, or what it was if
                the status stays the same.

        Raises:
            ValueError: The reference does not list this detail.
        """
        checked = check(detail, types_of("set_online")["detail"], "set_online: detail")
        act = devices.set_online if online else devices.set_offline
        act(self._platform, self._device(device_id), checked)

    @operation()
    def add_sub_device(self, gateway_id: str, node_id: str, **info: str) -> Row:
        """Let a gateway report a device behind it; return the new device's deviceId."""
        row = devices.add_sub_device(self._platform, self._device(gateway_id), node_id, **info)
        return {"deviceId": row["deviceId"]}

    @operation()
    def remove_sub_device(self, gateway_id: str, device_id: str) -> None:
        """Let a gateway remove a device behind it (1.4.6): it is deleted, and its subscribers hear deviceDeleted."""
        try:
            devices.remove_sub_device(self._platform, self._device(gateway_id), device_id)
        except LookupError as error:
            raise NotFound(error.args[0]) from None

    @operation()
    def refuse_desired(self, device_id: str, service_id: str, refused: bool = True) -> None:
        """Let a device refuse the desired changes of a service from now on, or take them again.

        A refused change is pushed as FAILED and not sent again. Without this, a device without a script takes each
        change as soon as it is online.
        """
        shadow.refuse_desired(self._platform, self._device(device_id), service_id, refused=refused)

    @operation()
    def report_info(self, device_id: str, **fields: str) -> None:
        """Let a device tell about itself: its firmware version, say, or its battery level.

        Args:
            device_id: The device.
            fields: bridgeId, description, mac, radiusIp, swVersion, fwVersion, hwVersion, signalStrength, sigVersion,
                serialNumber, batteryLevel.
        """
        devices.report_info(self._platform, self._device(device_id), **fields)

    @operation()
    def script(
        self,
        device_id: str,
        *,
        answer: Literal["success", "fail", "never"] = "success",
        after: float = 0.0,
        acknowledge: bool = True,
        acknowledge_after: float = 0.0,
        asleep: bool = False,
        result: Mapping[str, Any] | None = None,
        report_every: float | None = None,
        report: ScriptedReport | Sequence[ScriptedReport] | None = None,
        takes_wishes: bool = True,
    ) -> Row:
        """Let a device act by a script from now on, in place of a former one, and bring it online; return the script.

        Whether the delays are kept is up to the setting `transitions`: "immediate" leaves them out, "timed" keeps them,
        "manual" waits for `release`. Reports always keep their time.

        Args:
            device_id: The device.
            answer: What becomes of commands, upgrades and desired changes: "success", "fail", or "never" for no answer.
            after: Seconds between acknowledgement and answer, and between the steps of an upgrade.
            acknowledge: False for a device that takes commands and desired changes without a sign: they run into their
                timeouts.
            acknowledge_after: Seconds from the sending of a command or desired change to its acknowledgement.
            asleep: Whether it hears only for ten seconds after it said something, as devices that save power do.
            result: The result that its answers to commands carry; None for none.
            report_every: Seconds between its reports; None for no reports.
            report: What it reports: `service_id`, `data`, and, if its numbers are to change each time, `increments`:
                what is added to which of them. A list of these is one report of several services.
            takes_wishes: Whether it does what its shadow desires: it reports each desired property, `after` seconds
                after the change was delivered.

        Raises:
            ValueError: A value is out of range, or the device's product model has no such service.
        """
        return scripted.attach(
            self._platform, self._device(device_id), answer=answer, after=after, acknowledge=acknowledge,
            acknowledge_after=acknowledge_after, asleep=asleep, result=result, report_every=report_every, report=report,
            takes_wishes=takes_wishes,
        )  # fmt: skip

    @operation()
    def unscript(self, device_id: str) -> None:
        """Take a device's script away."""
        scripted.detach(self._platform, self._device(device_id))

    @operation()
    def mute(self, device_id: str, service_id: str, methods: list[str]) -> None:
        """Set which commands of a device's service are muted (100432)."""
        invoke.mute(self._platform, self._device(device_id), service_id, methods)

    @operation()
    def device_event(self, device_id: str, service_id: str, event_type: str, body: Row) -> None:
        """Let a device send an event message (deviceEvent)."""
        events.device_event(self._platform, self._device(device_id), service_id, event_type, body)

    @operation()
    def answer_command(self, command_id: str, ok: bool | None = None, detail: Row | None = None) -> str:
        """Acknowledge a command that was sent, for a device without a script, and answer it unless ok is None.

        Returns:
            The command's status after it.
        """
        if command_id not in command_flow.commands(self._platform):
            raise NotFound(f"no command {command_id!r}")
        command_flow.delivered(self._platform, command_id)
        if ok is not None:
            command_flow.answered(self._platform, command_id, ok=ok, detail=detail)
        status: str = command_flow.commands(self._platform)[command_id]["status"]
        return status

    @operation()
    def service_calls(self, device_id: str) -> list[Row]:
        """Return the calls of a device's services (1.7.7), oldest first: requestId, method, body, status and more."""
        return invoke.of_device(self._platform, self._device(device_id))

    @operation()
    def answer_service_call(
        self,
        device_id: str,
        request_id: str,
        ok: bool | None = None,
        body: Row | None = None,
        response: str | None = None,
    ) -> str:
        """Acknowledge a call of a device's service, for a device without a script, and answer it unless ok is None.

        Args:
            device_id: The device.
            request_id: The call, as its answer or `service_calls` names it.
            ok: Whether the device did what was asked.
            body: What the device says; empty by default.
            response: Which of the command's responses in the product model it is; the first by default.

        Returns:
            The call's status after it: delivered, executed or failed; timeout if the answer comes too late.

        Raises:
            ValueError: The command has no such response.
        """
        call = invoke.find(self._platform, self._device(device_id), request_id)
        if call is None:
            raise NotFound(f"device {device_id!r} has no service call with requestId {request_id!r}")
        key = call["invocationId"]
        invoke.delivered(self._platform, key)
        if ok is not None:
            invoke.answered(self._platform, key, body or {}, ok=ok, response=response)
        return str(self._platform.table(invoke.INVOCATIONS)[key]["status"])

    @operation()
    def move_upgrade(self, sub_operation_id: str, state: str | None = None, ok: bool | None = None) -> None:
        """Let a device without a script reach a state of its upgrade, and end it unless ok is None."""
        if sub_operation_id not in self._platform.table(upgrade_flow.SUB_OPERATIONS):
            raise NotFound(f"no part of an upgrade {sub_operation_id!r}")
        devices.heard(self._platform, self._platform.table(upgrade_flow.SUB_OPERATIONS)[sub_operation_id]["deviceId"])
        if state is not None:
            upgrade_flow.report_state(self._platform, sub_operation_id, state)
        if ok is not None:
            upgrade_flow.finish(self._platform, sub_operation_id, ok=ok)

    @operation()
    def stop_upgrade(self, operation_id: str) -> None:
        """Stop what of an upgrade has not ended."""
        if operation_id not in self._platform.table(upgrade_flow.OPERATIONS):
            raise NotFound(f"no upgrade {operation_id!r}")
        upgrade_flow.stop(self._platform, operation_id)
