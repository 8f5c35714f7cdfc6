from pathlib import Path

import pytest

from iot_northbound.device import DeviceSide, DeviceState
from iot_northbound.errors import InvalidArgumentError
from tests.device.conftest import CREDENTIALS
from tests.device.peer import Peer


def profile(folder: Path, text: str) -> Path:
    path = folder / "profile.toml"
    path.write_text(text)
    return path


def test_a_profile_says_where_the_ports_are(tmp_path: Path) -> None:
    path = profile(
        tmp_path,
        '[default]\nsecret = "s3cr3t"\n[devices]\nmqtt_host = "h"\nmqtt_port = 1\nhub_port = 3\nca_path = "ca.pem"\n',
    )
    side = DeviceSide.from_profile(path)
    assert side == DeviceSide(mqtt_host="h", mqtt_port=1, hub_port=3, ca_path=tmp_path / "ca.pem")
    assert side.agentlite_port is None
    assert side.hub_url == "https://h:3"


def test_a_platform_without_a_port_for_hubs_has_no_address_for_them() -> None:
    assert DeviceSide(mqtt_host="h").hub_url is None
    assert DeviceSide(mqtt_host="::1", hub_port=3).hub_url == "https://[::1]:3"


def test_a_device_of_a_profile_connects(tmp_path: Path, peer: Peer) -> None:
    path = profile(
        tmp_path, f'[devices]\nmqtt_host = "localhost"\nmqtt_port = {peer.port}\nca_path = "{peer.ca_path.name}"\n'
    )
    with DeviceSide.from_profile(path).device(CREDENTIALS, keepalive=60) as device:
        assert device.state is DeviceState.CONNECTED
    assert peer.logins[0].keepalive == 60


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("[default]\n", r"no table \[devices\]"),
        ("devices = 1\n", r"no table \[devices\]"),
        ("[devices\n", "not valid TOML"),
        ("[devices]\nmqtt_port = 1\n", "mqtt_host is missing"),
        ('[devices]\nmqtt_host = "h"\nmqtt_prt = 1\n', "did you mean mqtt_port"),
        ('[devices]\nmqtt_host = "h"\nmqtt_port = "1"\n', "mqtt_port: it must be a whole number"),
        ('[devices]\nmqtt_host = "h"\nmqtt_port = true\n', "mqtt_port: it must be a whole number"),
        ('[devices]\nmqtt_host = ""\n', "mqtt_host: it must be text"),
    ],
)
def test_a_profile_that_cannot_be_used_says_what_is_wrong(tmp_path: Path, text: str, part: str) -> None:
    with pytest.raises(InvalidArgumentError, match=part):
        DeviceSide.from_profile(profile(tmp_path, text))


def test_a_missing_profile_and_a_missing_port_are_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgumentError, match="cannot be read: No such file"):
        DeviceSide.from_profile(tmp_path / "none.toml")
    with pytest.raises(InvalidArgumentError, match="no port for MQTT"):
        DeviceSide(mqtt_host="h").device(CREDENTIALS)
