"""The part of the control plane for devices: what they report, and how they answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, NotRequired, TypedDict, Unpack

from iot_northbound.emulator.control.base import ControlBase, Name, NotFound, Row, Seconds, TimeText, operation
from iot_northbound.emulator.kernel.limits import Items, Length, OneOf, Range
from iot_northbound.emulator.rules import (
    binding,
    commands,
    devices,
    events,
    fleets,
    invocations,
    scripts,
    shadows,
    upgrades,
)

RequestId = Annotated[str, Length(1, 128)]
StatusDetail = Annotated[str, OneOf(tuple(dict.fromkeys((*devices.ONLINE_DETAILS, *devices.OFFLINE_DETAILS))))]
UpgradeState = Annotated[str, OneOf(upgrades.STATES)]


class ServiceReport(TypedDict):
    """The report of one service; `event_time` is a time text, now by default."""

    service_id: Name
    data: dict[str, Any]
    event_time: NotRequired[TimeText | None]


class ScriptedReport(TypedDict):
    """The report of one service of a scripted device."""

    service_id: Name
    data: dict[str, Any]
    increments: NotRequired[dict[str, Annotated[float, Range(-1e15, 1e15)]]]


class SubDeviceInfo(TypedDict, total=False):
    """What a gateway may say about a device behind it."""

    name: Name
    description: Name
    productId: Name
    manufacturerId: Name
    manufacturerName: Name
    deviceType: Name
    model: Name
    protocolType: Name


class DeviceControl(ControlBase):
    """Operations that let devices do something."""

    @operation()
    def add_device(self, node_id: Name, *, product_id: Name | None = None, app_id: Name | None = None) -> Row:
        """Register one device with a secret, as 1.4.2 does, and return its deviceId and nodeId. It never connected.

        Args:
            node_id: Its nodeId.
            product_id: Its product model; the shipped water meter by default.
            app_id: Its application; the emulator's own by default.
        """
        row = fleets.add_one(self._platform, self._application(app_id), node_id, product_id=product_id)
        return {"deviceId": row["deviceId"], "nodeId": row["nodeId"]}

    @operation()
    def report(
        self,
        device_id: str,
        service_id: Name,
        data: Row,
        event_time: TimeText | None = None,
        request_id: RequestId | None = None,
    ) -> None:
        """Let a device report data of one service: it is activated and online from then on.

        Args:
            device_id: The device.
            service_id: A service of its model.
            data: The service's properties.
            event_time: Time text, as in `20250301T101500Z`; now by default.
            request_id: What the pushes say as requestId; null by default.
        """
        devices.report(self._platform, self._device(device_id), service_id, data, event_time, request_id)

    @operation()
    def report_services(
        self,
        device_id: str,
        services: Annotated[Sequence[ServiceReport], Items(1)],
        request_id: RequestId | None = None,
    ) -> None:
        """Let a device report data of several services at once: deviceDatasChanged then has all of them.

        Args:
            device_id: The device.
            services: At least one: `service_id`, `data`, and optionally `event_time`, as for `report`.
            request_id: What the pushes say as requestId; null by default.
        """
        given = [
            {"serviceId": each["service_id"], "data": each["data"], "eventTime": each.get("event_time")}
            for each in services
        ]
        devices.report_services(self._platform, self._device(device_id), given, request_id)

    @operation()
    def report_alarm(
        self, device_id: str, severity: Name, status: bool = True, alarm_time: TimeText | None = None
    ) -> None:
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
        """Let a device connect for the first time and disconnect; one that was connected before stays as it is.

        Its bindDevice says ONLINE, since it is connected at that moment. It is OFFLINE afterwards.
        """
        devices.activate(self._platform, self._device(device_id))

    @operation()
    def set_online(self, device_id: str, online: bool = True, detail: StatusDetail | None = None) -> None:
        """Bring a device online, or take it offline.

        Args:
            device_id: The device.
            online: Whether it is connected.
            detail: Its statusDetail, one of the values that the reference lists; by default `NONE`, or the former
                one if the status stays the same.

        """
        act = devices.set_online if online else devices.set_offline
        act(self._platform, self._device(device_id), detail)

    @operation()
    def add_sub_device(self, gateway_id: str, node_id: Name, **info: Unpack[SubDeviceInfo]) -> Row:
        """Let a gateway report a device behind it; return the new device's deviceId."""
        row = devices.add_sub_device(self._platform, self._device(gateway_id), node_id, **info)
        return {"deviceId": row["deviceId"]}

    @operation()
    def remove_sub_device(self, gateway_id: str, device_id: str) -> None:
        """Let a gateway remove a device behind it (1.4.6): it is deleted and pushed as deviceDeleted."""
        try:
            devices.remove_sub_device(self._platform, self._device(gateway_id), device_id)
        except LookupError as error:
            raise NotFound(error.args[0]) from None

    @operation()
    def unbind_gateway(self, device_id: str) -> None:
        """Unbind a directly connected device: it and the devices behind it are deleted, as by 1.4.5.

        A gateway that is connected and listens for it is told so (REMOVE_GATEWAY). After that its session ends, and it
        can neither connect nor log in until it is registered and bound again.
        """
        binding.unbind(self._platform, self._device(device_id))

    @operation()
    def refuse_desired(self, device_id: str, service_id: str, refused: bool = True) -> None:
        """Let a device refuse the desired changes of a service from now on, or accept them again.

        A refused change is pushed as FAILED and not sent again. Without this, a device without a script takes each
        change as soon as it is online.
        """
        shadows.refuse_desired(self._platform, self._device(device_id), service_id, refused=refused)

    @operation()
    def report_info(self, device_id: str, **fields: Unpack[devices.ReportedInfo]) -> None:
        """Let a device report its own information, for example its firmware version or battery level.

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
        after: Seconds = 0.0,
        acknowledge: bool = True,
        acknowledge_after: Seconds = 0.0,
        asleep: bool = False,
        result: Mapping[str, Any] | None = None,
        report_every: Annotated[float, Range(0.001, 10 * 365 * 86_400)] | None = None,
        report: ScriptedReport | Annotated[Sequence[ScriptedReport], Items(1)] | None = None,
        follows_desired: bool = True,
    ) -> Row:
        """Let a device follow a script from now on, and bring it online; return the script.

        The script replaces a former one. The setting `transitions` decides about the delays: "immediate" leaves them
        out, "timed" keeps them, "manual" waits for `release`. Reports always follow the clock.

        Args:
            device_id: The device.
            answer: How commands, upgrades and desired changes end: "success", "fail", or "never" for no answer.
            after: Seconds between acknowledgement and answer, and between the steps of an upgrade.
            acknowledge: Whether it acknowledges commands and desired changes; if not, they run into their timeouts.
            acknowledge_after: Seconds from the sending of a command or desired change to its acknowledgement.
            asleep: Whether it listens only for ten seconds after it has said something, as devices that save power.
            result: The result in its answers to commands; None: no result.
            report_every: Seconds between its reports; None: no reports.
            report: Its report: `service_id`, `data`, and optionally `increments`, which are added to numbers of `data`
                each time. A list of these is one report of several services.
            follows_desired: Whether it follows the desired values of its shadow: it reports them `after` seconds after
                the change was delivered.

        Raises:
            InvalidArgument: A value is out of range, or the device's product model has no such service.
        """
        return scripts.attach(
            self._platform, self._device(device_id), answer=answer, after=after, acknowledge=acknowledge,
            acknowledge_after=acknowledge_after, asleep=asleep, result=result, report_every=report_every, report=report,
            follows_desired=follows_desired,
        )  # fmt: skip

    @operation()
    def unscript(self, device_id: str) -> None:
        """Remove a device's script."""
        scripts.detach(self._platform, self._device(device_id))

    @operation()
    def mute(self, device_id: str, service_id: str, methods: list[Name]) -> None:
        """Set which commands of a device's service are muted (100432)."""
        invocations.mute(self._platform, self._device(device_id), service_id, methods)

    @operation()
    def device_event(
        self,
        device_id: str,
        service_id: Name,
        event_type: Annotated[str, Length(1, 32)],
        body: Row,
    ) -> None:
        """Let a device send an event message (deviceEvent)."""
        events.device_event(self._platform, self._device(device_id), service_id, event_type, body)

    @operation()
    def answer_command(self, command_id: str, ok: bool | None = None, detail: Row | None = None) -> str:
        """Acknowledge a command that was sent, for a device without a script, and answer it unless ok is None.

        Returns:
            The command's new status.
        """
        if command_id not in self._platform.table(commands.COMMANDS):
            raise NotFound(f"no command {command_id!r}")
        commands.delivered(self._platform, command_id)
        if ok is not None:
            commands.answered(self._platform, command_id, ok=ok, detail=detail)
        status: str = self._platform.table(commands.COMMANDS)[command_id]["status"]
        return status

    @operation()
    def service_calls(self, device_id: str) -> list[Row]:
        """Return the calls of a device's services (1.7.7), oldest first: requestId, method, body, status and more."""
        return invocations.of_device(self._platform, self._device(device_id))

    @operation()
    def answer_service_call(
        self,
        device_id: str,
        request_id: Name,
        ok: bool | None = None,
        body: Row | None = None,
        response: Name | None = None,
    ) -> str:
        """Acknowledge a call of a device's service, for a device without a script, and answer it unless ok is None.

        Args:
            device_id: The device.
            request_id: The call, as its answer or `service_calls` names it.
            ok: Whether the device did what was asked.
            body: What the device says; empty by default.
            response: Which of the command's responses in the product model it is; the first by default.

        Returns:
            The call's new status: delivered, executed or failed; timeout if the answer comes too late.

        Raises:
            InvalidArgument: The command has no such response.
        """
        call = invocations.find(self._platform, self._device(device_id), request_id)
        if call is None:
            raise NotFound(f"device {device_id!r} has no service call with requestId {request_id!r}")
        key = call["invocationId"]
        invocations.delivered(self._platform, key)
        if ok is not None:
            invocations.answered(self._platform, key, body or {}, ok=ok, response=response)
        return str(self._platform.table(invocations.INVOCATIONS)[key]["status"])

    @operation()
    def move_upgrade(self, sub_operation_id: str, state: UpgradeState | None = None, ok: bool | None = None) -> None:
        """Let a device without a script reach a state of its upgrade, and end it unless ok is None."""
        if sub_operation_id not in self._platform.table(upgrades.SUB_OPERATIONS):
            raise NotFound(f"no part of an upgrade {sub_operation_id!r}")
        devices.heard(self._platform, self._platform.table(upgrades.SUB_OPERATIONS)[sub_operation_id]["deviceId"])
        if state is not None:
            upgrades.report_state(self._platform, sub_operation_id, state)
        if ok is not None:
            upgrades.finish(self._platform, sub_operation_id, ok=ok)

    @operation()
    def stop_upgrade(self, operation_id: str) -> None:
        """Stop the parts of an upgrade that have not ended."""
        if operation_id not in self._platform.table(upgrades.OPERATIONS):
            raise NotFound(f"no upgrade {operation_id!r}")
        upgrades.stop(self._platform, operation_id)
