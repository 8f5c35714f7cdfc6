"""The guide from the Java SDK and the pages of the API are complete and correct."""

import csv
import re
from pathlib import Path

import attrs
import pytest

import iot_northbound
from iot_northbound import dto, services
from tests.facts import ENDPOINTS, NOTIFICATIONS, snake
from tests.services.test_calls import java_parameters, method_name

DOCS = Path(__file__).parents[2] / "docs"
GUIDE = (DOCS / "from-java.md").read_text(encoding="utf-8")
JAVA = [fact for fact in ENDPOINTS if fact["java_method"]]
HANDLERS = [fact for fact in NOTIFICATIONS if fact.get("handler")]
# Names the Java chapter gives to free JSON, not to classes.
NOT_CLASSES = {"ObjectNode", "param"}


@pytest.mark.parametrize("fact", JAVA, ids=lambda fact: fact["java_section"])
def test_the_guide_has_a_row_for_each_java_method(fact: dict[str, object]) -> None:
    (row,) = [line for line in GUIDE.splitlines() if line.startswith(f"| {fact['java_section']} |")]
    _, _, java, python, _ = row.split("|")
    assert f" {fact['java_method']}(" in java
    name, arguments = re.fullmatch(r" `(\w+)\((.*)\)` ", python).groups()
    assert name == method_name(fact)
    told = [argument.split("=")[0] for argument in arguments.split(", ") if argument not in ("", "*")]
    assert told == [argument for argument in java_parameters(fact) if argument != "access_token"]


def test_the_guide_names_each_method_that_the_java_chapter_describes_apart() -> None:
    for name in [
        "setClientInfo",
        "setHttpConnection",
        "initSSLConfig()",
        "initSSLConfig(sslConfig)",
        "setHostnameVerifier",
        "getVersion",
        "setPlatformIp",
        "setPlatformPort",
        "setAppId",
        "setSecret",
        "geterror_code",
        "getError_desc",
        "getHttpStatusCode",
        "getHttpReasonPhrase",
        "getHttpMessage",
        "setSelfCertPath",
        "setSelfCertPwd",
        "setTrustCAPath",
        "setTrustCAPwd",
        "beginBasicTest",
        "startRefreshTokenTimer",
        "stopRefreshTokenTimer",
    ]:
        assert re.search(rf"\W{re.escape(name)}\W", GUIDE), name


def test_the_guide_names_each_class_of_the_java_chapter_and_the_package_has_it() -> None:
    named = {
        name
        for fact in JAVA
        for side in ("java_request", "java_response")
        for name in fact.get(side, {}).get("structures", {})
    } | {name for fact in HANDLERS for name in fact.get("structures", {})}
    assert len(named) > 100
    for name in named - NOT_CLASSES:
        assert attrs.has(getattr(dto, name)), name
        assert re.search(rf"\b{name}\b", GUIDE), name


@pytest.mark.parametrize("fact", HANDLERS, ids=lambda fact: fact["section"])
def test_the_guide_has_a_row_for_each_handler(fact: dict[str, str]) -> None:
    row = f"| {fact['section']} | `{fact['handler']}({fact['dto']} body)` | `{snake(fact['handler'])}(body)` |"
    assert row in GUIDE.splitlines()


def test_the_python_names_of_the_guides_configuration_exist() -> None:
    told = re.findall(r"`(ClientInfo|SSLConfig|HttpConfig)\((\w+)=", GUIDE)
    assert len(told) >= 9
    for cls, field in told:
        assert field in attrs.fields_dict(getattr(iot_northbound, cls)), (cls, field)
    error = iot_northbound.NorthApiException("1003", "refused")
    for attribute in re.findall(r"`error\.(\w+)`", GUIDE):
        assert hasattr(error, attribute)


def test_the_names_of_the_jar_and_of_other_sdks_lead_to_names_that_exist() -> None:
    section = GUIDE.partition("## Names that differ")[2].partition("\n## ")[0]
    rows = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("| `")]
    theirs = {name for row in rows for name in re.findall(r"`([\w.]+)`", row[0])}
    assert {
        "handleNBCommandStateChanged",
        "NotifyNBCommandStatusChangedDTO",
        "DeviceServiceInvocation.invokeDeviceService",
        "handleRuleEvent",
        "PostDeviceCommandInDTO",
    } <= theirs
    error = iot_northbound.NorthApiException("1003", "refused")
    for row in rows:
        for name in re.findall(r"`([\w.]+)`", row[-1]):
            owner, _, attribute = name.partition(".")
            if owner == "error":
                assert hasattr(error, attribute), name
            elif attribute:
                assert hasattr(getattr(iot_northbound, owner), attribute), name
            else:
                assert attrs.has(getattr(dto, owner)), name


def test_each_service_and_each_dto_module_has_its_page() -> None:
    for name in services.__all__:
        page = (DOCS / "api" / f"{snake(name).replace('_', '-')}.md").read_text(encoding="utf-8")
        assert f"::: iot_northbound.services.{snake(name)}.{name}" in page
    modules = {file.stem for file in Path(dto.__path__[0]).glob("*.py")} - {"__init__"}
    pages = {page.stem.replace("-", "_"): page for page in (DOCS / "api" / "dto").glob("*.md") if page.stem != "index"}
    assert set(pages) == modules
    for name, page in pages.items():
        assert f"\n::: iot_northbound.dto.{name}\n" in page.read_text(encoding="utf-8")


with (Path(__file__).parents[1] / "data" / "other_sdks.csv").open(encoding="utf-8", newline="") as _file:
    OTHERS = list(csv.DictReader(_file))


@pytest.mark.parametrize("sdk", ["PHP", "Python"])
def test_the_guides_from_other_sdks_list_every_method_of_theirs(sdk: str) -> None:
    guide = (DOCS / f"from-{sdk.lower()}.md").read_text(encoding="utf-8")
    methods = [fact for fact in OTHERS if fact["sdk"] == sdk]
    assert len(methods) == 63
    for fact in methods:
        assert f"| {fact['section']} | `{fact['class']}.{fact['method']}(" in guide
        if fact["dto"]:
            assert attrs.has(getattr(dto, fact["dto"]))


@pytest.mark.parametrize("sdk", ["PHP", "Python"])
def test_every_documented_call_of_java_has_a_counterpart_in_the_other_sdks(sdk: str) -> None:
    there = {fact["ours"] for fact in OTHERS if fact["sdk"] == sdk}
    assert {method_name(fact) for fact in JAVA} <= there
    assert {snake(fact["handler"]) for fact in HANDLERS} <= there


@pytest.mark.parametrize("sdk", ["php", "python"])
def test_the_new_names_of_a_guide_exist(sdk: str) -> None:
    guide = (DOCS / f"from-{sdk}.md").read_text(encoding="utf-8")
    error = iot_northbound.NorthApiException("1003", "refused")
    for attribute in re.findall(r"`error\.(\w+)`", guide):
        assert hasattr(error, attribute)
    for cls, arguments in re.findall(r"`(ClientInfo|SSLConfig)\((\w+=[^)]*)\)`", guide):
        for name in re.findall(r"(\w+)=", arguments):
            assert name in attrs.fields_dict(getattr(iot_northbound, cls))
    classes = guide.partition("## Classes that have another name")[2]
    for row in re.findall(r"^\| `.*\| (`.*) \|$", classes, re.MULTILINE):
        for name in re.findall(r"`(\w+)`", row):
            assert attrs.has(getattr(dto, name)), name
