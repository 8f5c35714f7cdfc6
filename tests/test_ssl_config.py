import ssl
from pathlib import Path
from typing import Any

import attrs
import pytest

from iot_northbound.core.tls import build_policy
from iot_northbound.errors import TlsError
from iot_northbound.ssl_config import SSLConfig
from tests.certs import Authority

PROFILE = """
[default]
platform_ip = "127.0.0.1"
platform_port = 8743
app_id = "app-of-the-emulator"
secret = "invented"
self_cert_path = "client.p12"
self_cert_pwd = "one-two-three"
trust_ca_path = "ca.pem"
"""


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
        ({"trust_ca_path": 5}, "not int"),
        ({"self_cert_pwd": b"x"}, "self_cert_pwd must be text"),
        ({"expected_hostname": ""}, "leave it out"),
        ({"expected_hostname": "x", "hostname_verifier": lambda host, certificate: True}, "both"),
        ({"hostname_verifier": "platform.example"}, "must be callable"),
        ({"insecure_skip_verification": "no"}, "True or False"),
        ({"minimum_version": ssl.TLSVersion.TLSv1_1}, "unsafe"),
        ({"minimum_version": "1.2"}, "TLSv1_2"),
    ],
)
def test_settings_that_do_not_fit(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(TlsError, match=message) as caught:
        SSLConfig(**settings)
    assert caught.value.error_code == "1006"


def test_emulator_takes_what_the_platform_left(tmp_path: Path) -> None:
    ca = Authority()
    (tmp_path / "profile.toml").write_text(PROFILE)
    (tmp_path / "profile.toml").chmod(0o600)
    (tmp_path / "ca.pem").write_bytes(ca.pem)
    (tmp_path / "client.p12").write_bytes(ca.issue("client", client=True).p12("one-two-three"))
    config = SSLConfig.emulator(tmp_path)
    assert config.self_cert_path == tmp_path / "client.p12"
    assert config.trust_ca_path == tmp_path / "ca.pem"
    assert build_policy(config).shows_certificate


def test_emulator_that_never_ran(tmp_path: Path) -> None:
    with pytest.raises(TlsError, match="iot-northbound emulator"):
        SSLConfig.emulator(tmp_path)


def test_emulator_without_a_folder_looks_in_the_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    with pytest.raises(TlsError) as caught:
        SSLConfig.emulator()
    assert str(tmp_path / ".iot-northbound" / "emulator") in str(caught.value)
