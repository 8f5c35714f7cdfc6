"""The package holds every name the API's reference has: services, methods, structures, fields, handlers, codes."""

import inspect
from typing import Any

import pytest

import iot_northbound
from iot_northbound import dto
from iot_northbound.core.fields import specs
from tests.facts import ENDPOINTS, NOTIFICATIONS, snake, structures

TOP = ("NorthApiClient", "ClientInfo", "SSLConfig", "NorthApiException", "BasicTest", "PushMessageReceiver")
APPLICATIONS = {"appId", "accessAppId", "ownerFlag"}
KEYWORDS = {snake(name) for name in APPLICATIONS} | {"access_token"}
_MISSPELT = {"gustInDTO": "qustInDTO"}
"""The reference's own slip in an argument's name, beside the name by its own pattern."""
METHODS = [endpoint for endpoint in ENDPOINTS if endpoint["java_method"]]


@pytest.mark.parametrize("name", TOP)
def test_the_package_exports(name: str) -> None:
    assert inspect.isclass(getattr(iot_northbound, name))


def _method(endpoint: dict[str, Any]) -> Any:
    return getattr(
        getattr(iot_northbound, endpoint["service"]), snake(endpoint["java_method"] or "regDeviceWithSecret")
    )


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda e: f"{e['service']}.{e['java_method']}")
def test_every_endpoint_has_its_method(endpoint: dict[str, Any]) -> None:
    method = _method(endpoint)
    assert callable(method)
    assert (inspect.getdoc(method) or "").strip()
    assert endpoint["rest_section"] in inspect.getdoc(method)


@pytest.mark.parametrize(
    "endpoint",
    [endpoint for endpoint in METHODS if endpoint["java_method"] != "subDeviceData"],
    ids=lambda e: f"{e['service']}.{e['java_method']}",
)
def test_a_method_takes_what_its_java_twin_takes_in_that_order(endpoint: dict[str, Any]) -> None:
    parameters = inspect.signature(_method(endpoint)).parameters
    java = [p["name"] for p in endpoint["java_parameters"] if p["name"] not in {*APPLICATIONS, "accessToken"}]
    positional = [p.name for p in parameters.values() if p.kind is p.POSITIONAL_OR_KEYWORD and p.name != "self"]
    assert positional == [snake(_MISSPELT.get(name, name)) for name in java]
    for name in KEYWORDS & set(parameters):
        assert parameters[name].kind is inspect.Parameter.KEYWORD_ONLY
    wanted = {snake(p["name"]) for p in endpoint["java_parameters"]} & KEYWORDS
    assert wanted <= set(parameters)


@pytest.mark.parametrize(
    "endpoint",
    [endpoint for endpoint in METHODS if endpoint["java_method"] != "subDeviceData"],
    ids=lambda e: f"{e['service']}.{e['java_method']}",
)
def test_a_method_returns_what_its_java_twin_returns(endpoint: dict[str, Any]) -> None:
    returns = inspect.signature(_method(endpoint)).return_annotation
    told = returns if isinstance(returns, str) else getattr(returns, "__name__", str(returns))
    assert told == ("None" if endpoint["java_result"] == "void" else endpoint["java_result"])


@pytest.mark.parametrize("name", ["start_refresh_token_timer", "stop_refresh_token_timer"])
def test_the_token_timer_can_be_had_by_hand(name: str) -> None:
    assert callable(getattr(iot_northbound.Authentication, name))


STRUCTURES = {(name, side): fields for name, side, fields in structures()}


@pytest.mark.parametrize(("name", "side"), STRUCTURES)
def test_every_structure_is_a_class_with_every_field(name: str, side: str) -> None:
    found = specs(getattr(dto, name))
    for field in STRUCTURES[name, side]:
        want = snake(field["name"])
        assert want in found or f"{want}_" in found, field["name"]


@pytest.mark.parametrize(("name", "side"), STRUCTURES)
def test_every_field_has_its_documented_wire_name(name: str, side: str) -> None:
    wires = {spec.wire for spec in specs(getattr(dto, name)).values()}
    assert {field["name"] for field in STRUCTURES[name, side]} <= wires


@pytest.mark.parametrize("endpoint", METHODS, ids=lambda e: e["rest_section"])
def test_every_message_has_the_rest_chapters_fields_too(endpoint: dict[str, Any]) -> None:
    """Chapter 1 names some fields that chapter 2 leaves out; the classes hold both."""
    for side in ("request", "response"):
        names = list(endpoint.get(f"java_{side}", {}).get("structures", {}))
        if not names:
            continue
        wires = {w for spec in specs(getattr(dto, names[0])).values() for w in (spec.wire, *spec.also)}
        for field in endpoint[side].get("fields", []):
            if side == "response" or field.get("in") == "body":
                assert field["name"] in wires, field["name"]


def test_the_rest_chapters_own_structures_have_no_field_of_their_own() -> None:
    """Structures both chapters describe under different names: the class holds the fields of both."""
    same = {
        "DeviceInfoQueryDTO": "DeviceInfo",
        "QueryDeviceDTO4Cloud2NA": "QuerySingleDeviceInfoOutDTO",
        "DeviceCommandResp": "DeviceCommandRespV4",
        "DeviceCommandCancelTaskResp": "DeviceCommandCancelTaskRespV4",
        "DeviceServiceData": "DeviceService",
        "QuerySubscriptionDTOCloud2NA": "SubscriptionDTO",
        "QueryDevGroupDTOCloud2NA": "QuerySingleDeviceGroupOutDTO",
        "CategoryInfo": "QueryUpgradePackageOutDTO",
        "QueryTaskDetailDTOcloud2NA": "QueryTaskDetailDTOCloud2NA",
        "CommandResultForDevice": "NBCommandResult",
    }
    seen = set()
    for entry in (*ENDPOINTS, *NOTIFICATIONS):
        for part in (entry, entry.get("request", {}), entry.get("response", {})):
            for name, fields in part.get("structures", {}).items():
                if name == "DeviceInfo" and entry.get("rest_section") == "1.4.2":
                    name = "MqttDeviceInfoDTO"
                cls = getattr(dto, same.get(name, name), None)
                if cls is None:
                    assert name in {"ObjectNode", "param"}, name
                    continue
                wires = {w for spec in specs(cls).values() for w in (spec.wire, *spec.also)}
                assert {field["name"].strip() for field in fields} <= wires, name
                seen.add(name)
    assert set(same) <= seen


def test_registration_in_password_mode_has_the_documented_fields() -> None:
    endpoint = next(e for e in ENDPOINTS if e["rest_section"] == "1.4.2")
    body = {f["name"] for f in endpoint["request"]["fields"] if f["in"] == "body"}
    assert {s.wire for s in specs(dto.RegDeviceWithSecretInDTO).values()} == body
    answer = {f["name"] for f in endpoint["response"]["fields"]}
    assert {s.wire for s in specs(dto.RegDeviceWithSecretOutDTO).values()} == answer


@pytest.mark.parametrize("handler", [n["handler"] for n in NOTIFICATIONS if n["handler"]])
def test_the_receiver_has_a_handler_for_every_notification(handler: str) -> None:
    assert callable(getattr(iot_northbound.PushMessageReceiver, snake(handler)))
