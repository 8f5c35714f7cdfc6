"""A valid request for every endpoint, with every field that its tables document."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .world import CALLBACK, COMMAND, FAR_AHEAD, FITS, IDENTITY, LONG_AGO, METER, Request, World

PAGE = {"pageNo": 0, "pageSize": 10}
WINDOW = {"startTime": LONG_AGO, "endTime": FAR_AHEAD}
DEVICE_INFO = {**IDENTITY, "name": "cellar"}


def _device(world: World, device_id: str, body: Any = None, **query: Any) -> Request:
    return Request({"deviceId": device_id}, {"appId": world.app_id, **query}, body)


def _history(world: World, **query: Any) -> Request:
    return Request(
        query={"appId": world.app_id, "deviceId": world.meter, "gatewayId": world.meter, **query, **PAGE, **WINDOW}
    )


def _group(world: World, group_id: str, body: Any = None) -> Request:
    return Request({"devGroupId": group_id}, {"accessAppId": world.app_id}, body)


def _members(world: World, **fields: Any) -> Request:
    return Request(query={"accessAppId": world.app_id}, body={"deviceIds": [world.meter], **fields})


def _upgrade(world: World, kind: str) -> Request:
    return Request(
        body={
            "fileId": world.new_package(kind),
            "targets": {"devices": [world.heard_meter], **FITS},
            "policy": {
                "executeType": "custom",
                "startTime": "20990101T000000Z",
                "endTime": "20990102T000000Z",
                "retryType": True,
                "retryTimes": 3,
            },
        }
    )


def _batch(world: World) -> Request:
    param = {
        "type": "DeviceList",
        "deviceList": [world.heard_meter],
        "command": COMMAND,
        "callbackUrl": CALLBACK,
        "maxRetransmit": 1,
    }
    return Request(
        body={
            "appId": world.app_id,
            "param": param,
            "taskName": world.name(),
            "taskType": "DeviceCmd",
            "timeout": 60,
            "tags": [{"tagName": "round", "tagValue": world.name()}],
        }
    )


def _modification(world: World) -> dict[str, Any]:
    return {
        **DEVICE_INFO,
        "productId": METER,
        "customFields": [{"fieldName": "floor", "fieldType": "int", "fieldValue": 3}],
        "deviceConfig": {"dataConfig": {"dataAgingTime": 30}},
        "endUser": "u7",
        "location": "Hafenstrasse 3",
        "mute": "FALSE",
        "organization": "north",
        "region": "coast",
        "timezone": "Europe/Berlin",
        "imsi": "460001234567891",
        "ip": "192.0.2.7",
        "isSecure": True,
        "psk": "0123456789abcdef",
        "tags": [{"tagName": "round", "tagValue": "3", "tagType": 1}],
    }


def _application(world: World) -> dict[str, str]:
    return {"appId": world.app_id, "secret": world.secret}


REQUESTS: dict[str, Callable[[World], Request]] = {
    "1.3.1": lambda w: Request(form=_application(w)),
    "1.3.2": lambda w: Request(body={**_application(w), "refreshToken": w.tokens["refreshToken"]}),
    "1.4.1": lambda w: Request(
        query={"appId": w.app_id},
        body={
            "deviceInfo": DEVICE_INFO,
            "endUserId": "u7",
            "imsi": "460001234567890",
            "isSecure": True,
            "nodeId": w.name(),
            "psk": "0123456789abcdef",
            "timeout": 300,
            "verifyCode": w.name("code"),
            "productId": METER,
        },
    ),
    "1.4.2": lambda w: Request(
        query={"appId": w.app_id},
        body={
            "deviceInfo": {"nodeId": w.name(), **DEVICE_INFO},
            "endUserId": "u7",
            "organization": "north",
            "region": "coast",
            "timezone": "Europe/Berlin",
            "mqttConnect": True,
            "productId": METER,
            "secret": "a1b2c3d4e5f6a7b8",
        },
    ),
    "1.4.3": lambda w: _device(
        w, w.new_heard_meter(), {"nodeId": w.name(), "timeout": 300, "verifyCode": w.name("code")}
    ),
    "1.4.4": lambda w: _device(w, w.new_meter(), _modification(w)),
    "1.4.5": lambda w: _device(w, w.new_meter(), cascade="true"),
    "1.4.7": lambda w: _device(w, w.meter),
    "1.4.8": lambda w: _device(
        w, w.meter, {"serviceDesireds": [{"serviceId": "WaterMeter", "desired": {"reportInterval": 900}}]}
    ),
    "1.4.9": lambda w: _device(w, w.meter),
    "1.5.1": lambda w: _device(w, w.meter, select="imsi"),
    "1.5.2": lambda w: Request(
        query={
            "appId": w.app_id,
            "gatewayId": w.meter,
            "nodeType": "ENDPOINT",
            "deviceType": IDENTITY["deviceType"],
            "location": "Hafenstrasse 3",
            "name": "cellar",
            "status": "ONLINE",
            "sort": "DESC",
            "select": "imsi",
            **PAGE,
            **WINDOW,
        }
    ),
    "1.5.3": _history,
    "1.5.4": lambda w: _history(w, serviceId="WaterMeter", property="reportInterval"),
    "1.5.5": lambda w: Request(query={"appId": w.app_id, "deviceId": w.meter, "gatewayId": w.meter}),
    "1.6.1": lambda w: Request(
        query={"ownerFlag": "false"},
        body={"appId": w.app_id, "notifyType": "deviceDeleted", "callbackUrl": CALLBACK, "channel": "HTTP"},
    ),
    "1.6.2": lambda w: Request(body={"notifyType": "fwUpgradeResultNotify", "callbackUrl": CALLBACK}),
    "1.6.3": lambda w: Request({"subscriptionId": w.subscription}, {"appId": w.app_id}),
    "1.6.4": lambda w: Request(
        query={"appId": w.app_id, "notifyType": "deviceAdded" if w.subscription else "", **PAGE}
    ),
    "1.6.5": lambda w: Request({"subscriptionId": w.subscription}, {"appId": w.app_id}),
    "1.6.6": lambda w: Request(
        query={
            "appId": w.app_id,
            "notifyType": "deviceAdded" if w.subscription else "",
            "callbackUrl": CALLBACK,
            "channel": "HTTP",
        }
    ),
    "1.7.1": lambda w: Request(
        query={"appId": w.app_id},
        body={
            "deviceId": w.heard_meter,
            "command": COMMAND,
            "callbackUrl": CALLBACK,
            "expireTime": 600,
            "maxRetransmit": 2,
        },
    ),
    "1.7.2": lambda w: Request(
        query={
            "appId": w.app_id,
            "deviceId": w.heard_meter if w.new_command(callbackUrl=CALLBACK) else "",
            **PAGE,
            **WINDOW,
        }
    ),
    "1.7.3": lambda w: Request({"deviceCommandId": w.new_command()}, {"appId": w.app_id}, {"status": "CANCELED"}),
    "1.7.5": lambda w: Request(query={"appId": w.app_id}, body={"deviceId": w.heard_meter if w.new_command() else ""}),
    "1.7.6": lambda w: Request(
        query={
            "appId": w.app_id,
            "taskId": w.cancel_task["taskId"],
            "deviceId": w.heard_meter,
            "status": "SUCCESS",
            **PAGE,
            **WINDOW,
        }
    ),
    "1.7.7": lambda w: Request(
        {"deviceId": w.meter, "serviceId": "WaterMeter"},
        {"appId": w.app_id},
        {
            "header": {
                "requestId": w.name("r"),
                "mode": "ACK",
                "from": "/users/u7",
                "toType": "GATEWAY",
                "to": w.meter,
                "method": "SET_VALVE",
                "callbackURL": CALLBACK,
            },
            "body": {"state": "OPEN"},
        },
    ),
    "1.8.1": _batch,
    "1.8.2": lambda w: Request({"taskId": w.batch_task}, {"appId": w.app_id, "select": "tags"}),
    "1.8.3": lambda w: Request(
        query={
            "appId": w.app_id,
            "taskId": w.batch_task,
            "status": "WaitResult",
            "deviceId": w.heard_meter,
            "commandId": w.get("/iocm/app/cmd/v1.4.0/deviceCommands")["data"][0]["commandId"],
            **PAGE,
        }
    ),
    "1.9.1": lambda w: Request(
        body={
            "name": w.name(),
            "description": "north side",
            "appId": w.app_id,
            "maxDevNum": 10,
            "deviceIds": [w.meter],
        }
    ),
    "1.9.2": lambda w: _group(w, w.new_group()),
    "1.9.3": lambda w: _group(w, w.new_group(), {"name": w.name(), "description": "south side", "maxDevNum": 20}),
    "1.9.4": lambda w: Request(
        query={
            "accessAppId": w.app_id,
            "name": w.get(f"/iocm/app/devgroup/v1.3.0/devGroups/{w.new_group()}")["name"],
            **PAGE,
        }
    ),
    "1.9.5": lambda w: _group(w, w.new_group()),
    "1.9.6": lambda w: Request(query={"devGroupId": w.new_group(deviceIds=[w.meter]), "accessAppId": w.app_id, **PAGE}),
    "1.9.7": lambda w: _members(w, devGroupId=w.new_group()),
    "1.9.8": lambda w: _members(w, devGroupId=w.new_group(deviceIds=[w.meter])),
    "1.10.1": lambda w: Request(
        query={"fileType": "firmwarePackage" if w.new_package() else "", "version": "2.1", **FITS, **PAGE}
    ),
    "1.10.2": lambda w: Request({"fileId": w.new_package()}),
    "1.10.3": lambda w: Request({"fileId": w.new_package()}),
    "1.10.4": lambda w: _upgrade(w, "softwarePackage"),
    "1.10.5": lambda w: _upgrade(w, "firmwarePackage"),
    "1.10.6": lambda w: Request({"operationId": w.upgrade}),
    "1.10.7": lambda w: Request({"operationId": w.upgrade}, {"subOperationStatus": "success", **PAGE}),
    "1.10.8": lambda w: Request(
        query={
            "operationType": "firmware_upgrade" if w.upgrade else "",
            "operationStatus": "success",
            "deviceId": w.scripted_meter,
            **FITS,
            **PAGE,
        }
    ),
}
