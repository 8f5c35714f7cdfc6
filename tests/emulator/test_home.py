from __future__ import annotations

import datetime
import stat
import tomllib
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import pkcs12

from iot_northbound import load_profile
from iot_northbound.emulator import home as home_module
from iot_northbound.emulator.home import prepare


def test_the_first_start_makes_everything_readable_by_the_owner_alone(tmp_path: Path) -> None:
    home = prepare(tmp_path / "home")
    assert home.is_new
    for name in ("server.key", "client.key", "client.p12", "client.p12.password", "profile.toml"):
        assert stat.S_IMODE((home.folder / name).stat().st_mode) == 0o600


def test_a_later_start_keeps_it(tmp_path: Path) -> None:
    first = prepare(tmp_path)
    content = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    second = prepare(tmp_path)
    assert not second.is_new
    assert (second.app_id, second.secret, second.p12_password) == (first.app_id, first.secret, first.p12_password)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == content


def test_certificates_about_to_end_are_renewed_but_the_application_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("iot_northbound.emulator.home.LIFETIME", datetime.timedelta(days=2))
        first = prepare(tmp_path)
    old = first.ca.read_bytes()
    second = prepare(tmp_path)
    assert second.ca.read_bytes() != old
    assert second.secret == first.secret
    assert pkcs12.load_key_and_certificates(second.client_p12.read_bytes(), second.p12_password.encode())[0]


def test_a_damaged_certificate_is_renewed(tmp_path: Path) -> None:
    prepare(tmp_path)
    (tmp_path / "server.pem").write_text("damaged")
    assert prepare(tmp_path).server_context()


def test_the_server_is_known_by_name_and_by_both_loopback_addresses(tmp_path: Path) -> None:
    prepare(tmp_path)
    server = x509.load_pem_x509_certificate((tmp_path / "server.pem").read_bytes())
    names = server.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost"]
    assert [str(one) for one in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1", "::1"]


def test_the_p12_can_be_opened_with_the_profiles_password(tmp_path: Path) -> None:
    prepare(tmp_path)
    profile = tomllib.loads((tmp_path / "profile.toml").read_text())["default"]
    key, certificate, others = pkcs12.load_key_and_certificates(
        (tmp_path / profile["self_cert_path"]).read_bytes(), profile["self_cert_pwd"].encode()
    )
    assert key is not None
    assert certificate is not None
    assert [one.subject for one in others] == [certificate.issuer]


def test_the_profile_has_the_address_that_is_really_bound(tmp_path: Path) -> None:
    home = prepare(tmp_path)
    home.write_profile("localhost", 40_123)
    profile = tomllib.loads(home.profile.read_text())["default"]
    assert (profile["platform_ip"], profile["platform_port"]) == ("localhost", 40_123)
    assert (profile["app_id"], profile["secret"]) == (home.app_id, home.secret)


def test_the_ports_for_devices_have_a_table_of_their_own(tmp_path: Path) -> None:
    home = prepare(tmp_path)
    home.write_profile("localhost", 40_123, device_ports={"mqtt_port": 40_124, "hub_port": 40_125})
    devices = tomllib.loads(home.profile.read_text())["devices"]
    assert devices == {"mqtt_host": "localhost", "mqtt_port": 40_124, "hub_port": 40_125, "ca_path": "ca.pem"}
    assert load_profile(home.profile).client_info.platform_port == 40_123


def test_the_control_plane_has_a_table_of_its_own(tmp_path: Path) -> None:
    home = prepare(tmp_path)
    home.write_profile("localhost", 40_123, control_url="http://127.0.0.1:40126")
    assert tomllib.loads(home.profile.read_text())["control"] == {"url": "http://127.0.0.1:40126"}
    assert load_profile(home.profile).client_info.platform_port == 40_123


def test_the_repr_has_no_secret(tmp_path: Path) -> None:
    home = prepare(tmp_path)
    assert home.secret not in repr(home)
    assert home.p12_password not in repr(home)


def test_a_foreign_profile_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "profile.toml").write_text("[other]\nkey = 1\n")
    with pytest.raises(ValueError, match="move it away"):
        prepare(tmp_path)


@pytest.mark.parametrize("written", range(7))
def test_certificates_of_which_only_some_were_renewed_are_all_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: int
) -> None:
    prepare(tmp_path)
    write, left = home_module._write, iter([True] * written)

    def killed(path: Path, content: bytes) -> None:
        if not next(left, False):
            raise KeyboardInterrupt
        write(path, content)

    monkeypatch.setattr(home_module, "MARGIN", 2 * home_module.LIFETIME)
    monkeypatch.setattr(home_module, "_write", killed)
    with pytest.raises(KeyboardInterrupt):
        prepare(tmp_path)
    monkeypatch.undo()
    home = prepare(tmp_path)
    home.server_context()
    (ca,) = x509.load_pem_x509_certificates(home.ca.read_bytes())
    for name in ("server", "client"):
        x509.load_pem_x509_certificate((tmp_path / f"{name}.pem").read_bytes()).verify_directly_issued_by(ca)
    assert pkcs12.load_pkcs12(home.client_p12.read_bytes(), home.p12_password.encode()).cert is not None
