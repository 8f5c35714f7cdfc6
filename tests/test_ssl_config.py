import ssl
from pathlib import Path
from typing import Any

import attrs
import pytest

from iot_northbound.core.tls import build_policy
from iot_northbound.emulator.home import prepare
from iot_northbound.errors import TlsError
from iot_northbound.ssl_config import SSLConfig
from tests.certs import TlsServer, get


def test_passwords_stay_out_of_its_repr() -> None:
    config = SSLConfig(self_cert_path="a", self_cert_pwd="open-sesame", trust_ca_path="b", trust_ca_pwd="open-too")
    assert "open" not in repr(config)
    assert "self_cert_pwd='***'" in repr(config)
    assert "trust_ca_pwd=None" in repr(SSLConfig())


def test_is_a_value_that_cannot_be_changed() -> None:
    config = SSLConfig(trust_ca_path="b")
    assert config == SSLConfig(trust_ca_path=Path("b"))
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        config.trust_ca_path = None  # type: ignore[misc]


def test_home_folder_in_paths(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert SSLConfig(trust_ca_path="~/ca.pem").trust_ca_path == tmp_path / "ca.pem"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"self_key_path": "k"}, "without self_cert_path"),
        ({"self_cert_path": " "}, "path is empty"),
        ({"self_cert_alias": "a"}, "without self_cert_path"),
        ({"self_cert_path": "c", "self_cert_alias": " "}, "self_cert_alias is empty"),
        ({"self_cert_path": "c", "self_cert_alias": 5}, "self_cert_alias must be text, not int"),
        ({"trust_ca_path": 5}, "not int"),
        ({"self_cert_pwd": b"x"}, "self_cert_pwd must be text"),
        ({"expected_hostname": ""}, "leave it out"),
        ({"expected_hostname": 5}, "must be text, not int"),
        ({"self_cert_path": "~nobody-of-that-name/client.pem"}, "not the path of a file"),
        ({"expected_hostname": "x", "hostname_verifier": lambda host, certificate: True}, "both"),
        ({"hostname_verifier": "platform.example"}, "must be callable"),
        ({"insecure_skip_verification": "no"}, "True or False"),
        ({"strict_x509": "no"}, "strict_x509 must be True or False"),
        ({"minimum_version": ssl.TLSVersion.TLSv1_1}, "unsafe"),
        ({"minimum_version": "1.2"}, "TLSv1_2"),
    ],
)
def test_settings_that_do_not_fit(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(TlsError, match=message) as caught:
        SSLConfig(**settings)
    assert caught.value.error_code == "1006"


def test_emulator_pair_reaches_the_emulator(tmp_path: Path) -> None:
    home = prepare(tmp_path / "emulator")
    policy = build_policy(SSLConfig.emulator(home.folder))
    with TlsServer(home.server_context()) as server:
        assert get(policy, server.url).json() == {"ok": True}
        assert get(policy, f"https://localhost:{server.port}").json() == {"ok": True}


def test_emulator_that_never_ran(tmp_path: Path) -> None:
    with pytest.raises(TlsError, match="iot-northbound emulator"):
        SSLConfig.emulator(tmp_path)


def test_emulator_without_a_folder_looks_in_the_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.delenv("IOT_NORTHBOUND_EMULATOR_HOME", raising=False)
    with pytest.raises(TlsError) as caught:
        SSLConfig.emulator()
    assert str(tmp_path / ".iot-northbound" / "emulator") in str(caught.value)


def test_emulator_moved_by_its_own_variable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    prepare(tmp_path)
    monkeypatch.setenv("IOT_NORTHBOUND_EMULATOR_HOME", str(tmp_path))
    assert SSLConfig.emulator().trust_ca_path == tmp_path / "ca.pem"
