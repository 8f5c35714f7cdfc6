import logging
import math
import os
import ssl
from pathlib import Path
from typing import Any

import pytest

from iot_northbound.config import ClientInfo, HttpConfig, load_env, load_profile
from iot_northbound.errors import InvalidArgumentError, TlsError

SECRET = "invented-secret"
INFO: dict[str, Any] = {"platform_ip": "platform.example", "app_id": "app-1", "secret": SECRET}
ENVIRON = {
    "IOT_NORTHBOUND_PLATFORM_IP": "platform.example",
    "IOT_NORTHBOUND_APP_ID": "app-1",
    "IOT_NORTHBOUND_SECRET": SECRET,
}


def refused(code: str, call: Any, *args: Any, **settings: Any) -> str:
    with pytest.raises(InvalidArgumentError) as caught:
        call(*args, **settings)
    assert caught.value.error_code == code
    assert SECRET not in str(caught.value) + repr(caught.value)
    return caught.value.error_desc


class TestClientInfo:
    def test_port_of_the_platform_by_default(self) -> None:
        assert ClientInfo(**INFO).base_url == "https://platform.example:8743"

    @pytest.mark.parametrize("port", [443, "443", " 443 "])
    def test_port_as_number_or_digits(self, port: Any) -> None:
        assert ClientInfo(**INFO, platform_port=port).platform_port == 443

    @pytest.mark.parametrize(
        "port",
        [
            0,
            65536,
            -1,
            "",
            "https",
            "8743.0",
            8743.0,
            True,
            None,
            [8743],
            pytest.param(10**5000, id="huge"),
            pytest.param("9" * 5000, id="digits"),
        ],
    )
    def test_what_is_no_port(self, port: Any) -> None:
        assert "1 to 65535" in refused("1007", ClientInfo, **INFO, platform_port=port)

    @pytest.mark.parametrize(
        ("host", "url"),
        [
            ("192.0.2.7", "https://192.0.2.7:8743"),
            ("2001:db8::7", "https://[2001:db8::7]:8743"),
            ("fe80::1%eth0", "https://[fe80::1%25eth0]:8743"),
        ],
    )
    def test_addresses(self, host: str, url: str) -> None:
        assert ClientInfo(**{**INFO, "platform_ip": host}).base_url == url

    @pytest.mark.parametrize(
        ("host", "hint"),
        [
            ("https://platform.example", "host alone"),
            ("platform.example:8743", "platform_port"),
            ("[2001:db8::7]", "without brackets"),
            ("platform.example/path", "host name"),
            ("user@platform.example", "host name"),
            ("plat form", "host name"),
            ("platform\n.example", "host name"),
        ],
    )
    def test_what_is_no_host(self, host: str, hint: str) -> None:
        assert hint in refused("1007", ClientInfo, **{**INFO, "platform_ip": host})

    @pytest.mark.parametrize("name", list(INFO))
    @pytest.mark.parametrize("value", ["", None])
    def test_missing_values(self, name: str, value: Any) -> None:
        assert f"ClientInfo.{name} is missing" in refused("1008", ClientInfo, **{**INFO, name: value})

    @pytest.mark.parametrize("name", list(INFO))
    def test_values_that_are_no_text(self, name: str) -> None:
        assert "must be text, not int" in refused("1007", ClientInfo, **{**INFO, name: 5})

    @pytest.mark.parametrize("name", ["app_id", "secret"])
    @pytest.mark.parametrize(
        "value", [" ", "invented-secret ", "invented secret", "invented-secret\n", "\u00a0x", "\ufeffx", "x\u200b"]
    )
    def test_blanks_in_credentials(self, name: str, value: str) -> None:
        assert f"ClientInfo.{name} holds a blank" in refused("1010", ClientInfo, **{**INFO, name: value})

    def test_app_id_that_no_header_can_carry(self) -> None:
        assert "printable ASCII" in refused("1007", ClientInfo, **{**INFO, "app_id": "アプリ"})

    def test_secret_stays_out_of_its_repr(self) -> None:
        assert SECRET not in repr(ClientInfo(**INFO))
        assert "app-1" in repr(ClientInfo(**INFO))


class TestHttpConfig:
    def test_defaults(self) -> None:
        http = HttpConfig()
        assert (http.connect_timeout, http.read_timeout, http.pool_size) == (30.0, 30.0, 200)
        assert (http.max_attempts, http.deadline, http.calls_per_minute, http.proxy) == (3, 60.0, None, None)

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("connect_timeout", 0),
            ("connect_timeout", None),
            ("read_timeout", -1),
            ("read_timeout", math.nan),
            ("read_timeout", math.inf),
            ("read_timeout", "30"),
            ("pool_size", 0),
            ("pool_size", 1.5),
            ("pool_size", True),
            ("max_attempts", 0),
            ("deadline", 0),
            ("calls_per_minute", 0),
            ("backoff_base", -0.1),
            ("backoff_cap", -1),
        ],
    )
    def test_values_out_of_range(self, name: str, value: Any) -> None:
        message = refused("1007", HttpConfig, **{name: value})
        assert message.startswith(f"HttpConfig.{name} = {value!r}: it must be a")

    @pytest.mark.parametrize("name", ["connect_timeout", "deadline", "backoff_cap", "max_attempts", "pool_size"])
    @pytest.mark.parametrize("value", [2 * 10**9, 10**400, pytest.param(10**5000, id="huge")])
    def test_what_no_timer_can_wait_for(self, name: str, value: int) -> None:
        assert "at most" in refused("1007", HttpConfig, **{name: value})

    def test_no_deadline_and_no_waiting(self) -> None:
        assert HttpConfig(deadline=None, backoff_base=0, backoff_cap=0).deadline is None

    @pytest.mark.parametrize("proxy", ["http://proxy.example:3128", "http://user:invented-secret@192.0.2.1:80/"])
    def test_proxy(self, proxy: str) -> None:
        http = HttpConfig(proxy=proxy)
        assert http.proxy == proxy
        assert SECRET not in repr(http)
        assert "proxy.example" in repr(http) or "192.0.2.1" in repr(http)

    @pytest.mark.parametrize(
        "proxy",
        [
            "proxy.example:3128",
            "socks5://proxy.example",
            "https://proxy.example",
            "http://",
            "http://user:invented-secret@proxy.example/path",
            "http://proxy.example:99999",
            5,
        ],
    )
    def test_what_is_no_proxy(self, proxy: Any) -> None:
        assert "URL of an HTTP proxy" in refused("1007", HttpConfig, proxy=proxy)


class TestEnvironment:
    def test_smallest(self) -> None:
        info, ssl_config, http = load_env(ENVIRON)
        assert info == ClientInfo(**INFO)
        assert ssl_config is None
        assert http == HttpConfig()

    def test_every_setting(self, tmp_path: Path) -> None:
        environ = {
            **ENVIRON,
            "IOT_NORTHBOUND_PLATFORM_PORT": "443",
            "IOT_NORTHBOUND_SELF_CERT_PATH": str(tmp_path / "client.p12"),
            "IOT_NORTHBOUND_SELF_CERT_PWD": "12345",
            "IOT_NORTHBOUND_SELF_CERT_ALIAS": "first",
            "IOT_NORTHBOUND_TRUST_CA_PATH": "ca.pem",
            "IOT_NORTHBOUND_EXPECTED_HOSTNAME": "platform.example",
            "IOT_NORTHBOUND_MINIMUM_VERSION": "1.3",
            "IOT_NORTHBOUND_CONNECT_TIMEOUT": "2.5",
            "IOT_NORTHBOUND_DEADLINE": "9",
            "IOT_NORTHBOUND_POOL_SIZE": "7",
            "IOT_NORTHBOUND_CALLS_PER_MINUTE": "100",
            "IOT_NORTHBOUND_PROXY": "http://proxy.example:3128",
        }
        info, ssl_config, http = load_env(environ)
        assert info.platform_port == 443
        assert ssl_config is not None
        assert ssl_config.self_cert_path == tmp_path / "client.p12"
        assert ssl_config.self_cert_pwd == "12345"
        assert ssl_config.self_cert_alias == "first"
        assert ssl_config.trust_ca_path == Path("ca.pem")
        assert ssl_config.minimum_version == ssl.TLSVersion.TLSv1_3
        assert (http.connect_timeout, http.deadline, http.pool_size, http.calls_per_minute) == (2.5, 9.0, 7, 100)
        assert http.proxy == "http://proxy.example:3128"

    def test_a_byte_order_mark_is_no_part_of_a_name_or_a_value(self, tmp_path: Path) -> None:
        (tmp_path / "secret").write_text(f"{SECRET}\n", encoding="utf-8-sig")
        environ = {
            "\ufeffIOT_NORTHBOUND_PLATFORM_IP": "platform.example",
            "IOT_NORTHBOUND_APP_ID": "\ufeffapp-1",
            "IOT_NORTHBOUND_SECRET_FILE": str(tmp_path / "secret"),
        }
        assert load_env(environ).client_info == ClientInfo(**INFO)

    @pytest.mark.parametrize("variable", list(ENVIRON))
    @pytest.mark.parametrize("empty", [True, False])
    def test_missing_variable_is_named(self, variable: str, empty: bool) -> None:
        environ = {key: value for key, value in ENVIRON.items() if key != variable} | ({variable: ""} if empty else {})
        assert refused("1008", load_env, environ).startswith(variable)

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("POOL_SIZE", "7.5"),
            ("READ_TIMEOUT", "soon"),
            ("PLATFORM_PORT", "https"),
            ("MINIMUM_VERSION", "1.1"),
            ("STRICT_X509", "yes"),
        ],
    )
    def test_value_of_the_wrong_type_names_the_variable(self, name: str, value: str) -> None:
        assert f"IOT_NORTHBOUND_{name}" in refused("1007", load_env, {**ENVIRON, f"IOT_NORTHBOUND_{name}": value})

    @pytest.mark.parametrize(("text", "value"), [("true", True), ("false", False)])
    def test_strict_checking_of_certificates_is_true_or_false(self, text: str, value: bool) -> None:
        ssl_config = load_env({**ENVIRON, "IOT_NORTHBOUND_STRICT_X509": text}).ssl_config
        assert ssl_config is not None
        assert ssl_config.strict_x509 is value

    @pytest.mark.parametrize("name", ["INSECURE_SKIP_VERIFICATION", "HOSTNAME_VERIFIER"])
    def test_verification_cannot_be_switched_off_from_outside(self, name: str) -> None:
        message = refused("1007", load_env, {**ENVIRON, f"IOT_NORTHBOUND_{name}": "true"})
        assert "argument of SSLConfig only" in message

    def test_typing_error_in_a_name_is_told(self, caplog: pytest.LogCaptureFixture) -> None:
        with caplog.at_level(logging.WARNING, "iot_northbound"):
            load_env({**ENVIRON, "IOT_NORTHBOUND_TRUST_CA": "x", "IOT_NORTHBOUND_EMULATOR_HOME": "y", "HOME": "/"})
        (message,) = caplog.messages
        assert "IOT_NORTHBOUND_TRUST_CA " in message

    def test_reads_the_process_environment_by_default(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in [name for name in os.environ if name.startswith("IOT_NORTHBOUND_")]:
            monkeypatch.delenv(name)
        for name, value in ENVIRON.items():
            monkeypatch.setenv(name, value)
        assert load_env().client_info == ClientInfo(**INFO)

    def test_secret_out_of_a_file(self, tmp_path: Path) -> None:
        file = tmp_path / "secret"
        file.write_text(SECRET + "\n")
        file.chmod(0o600)
        environ = {**ENVIRON, "IOT_NORTHBOUND_SECRET": "", "IOT_NORTHBOUND_SECRET_FILE": str(file)}
        assert load_env(environ).client_info.secret == SECRET


BASE = f'platform_ip = "platform.example"\napp_id = "app-1"\nsecret = "{SECRET}"\n'


class TestProfile:
    def write(self, folder: Path, text: str) -> Path:
        path = folder / "iot.toml"
        path.write_text(text, encoding="utf-8")
        path.chmod(0o600)
        return path

    def fault(self, folder: Path, text: str, code: str = "1007", name: str = "default") -> str:
        path = self.write(folder, text)
        message = refused(code, load_profile, path, name)
        assert str(path) in message
        return message

    def test_default_and_named_tables(self, tmp_path: Path) -> None:
        text = f'[default]\n{BASE}\n[production]\n{BASE}platform_port = "443"\nread_timeout = 5\n'
        path = self.write(tmp_path, text)
        assert load_profile(path).client_info == ClientInfo(**INFO)
        info, ssl_config, http = load_profile(str(path), "production")
        assert (info.platform_port, http.read_timeout, ssl_config) == (443, 5, None)

    def test_paths_are_relative_to_the_file(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        monkeypatch.chdir(elsewhere)
        text = f'[default]\n{BASE}self_cert_path = "c.p12"\nself_cert_pwd = "x"\ntrust_ca_path = "/etc/ca.pem"\n'
        _, ssl_config, _ = load_profile(self.write(tmp_path, text))
        assert ssl_config is not None
        assert (ssl_config.self_cert_path, ssl_config.trust_ca_path) == (tmp_path / "c.p12", Path("/etc/ca.pem"))

    def test_secrets_in_files_of_their_own(self, tmp_path: Path) -> None:
        for name in ("secret.txt", "pwd.txt"):
            (tmp_path / name).write_text(f"{SECRET}\r\n")
            (tmp_path / name).chmod(0o600)
        text = BASE.replace(f'secret = "{SECRET}"', 'secret_file = "secret.txt"')
        text += 'self_cert_path = "c.p12"\nself_cert_pwd_file = "pwd.txt"\n'
        info, ssl_config, _ = load_profile(self.write(tmp_path, f"[default]\n{text}"))
        assert info.secret == SECRET
        assert ssl_config is not None
        assert ssl_config.self_cert_pwd == SECRET

    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
    def test_a_byte_order_mark_is_no_part_of_a_profile_or_a_secret(self, tmp_path: Path, encoding: str) -> None:
        for name in ("secret.txt", "pwd.txt", "ca.txt"):
            (tmp_path / name).write_bytes(f"{SECRET}\r\n".encode(encoding))
        text = BASE.replace(f'secret = "{SECRET}"', 'secret_file = "secret.txt"')
        text += 'self_cert_path = "c"\nself_cert_pwd_file = "pwd.txt"\ntrust_ca_pwd_file = "ca.txt"\n'
        path = tmp_path / "iot.toml"
        path.write_bytes(f'[default]\r\n{text}self_cert_alias = "first"\r\n'.encode(encoding))
        info, ssl_config, _ = load_profile(path)
        assert ssl_config is not None
        assert {info.secret, ssl_config.self_cert_pwd, ssl_config.trust_ca_pwd} == {SECRET}
        assert ssl_config.self_cert_alias == "first"

    @pytest.mark.parametrize("content", [None, "", b"\xff\xfe\x00", b"\xef\xbb\xbf", b"\xff\xfe"])
    def test_secret_file_that_gives_nothing(self, tmp_path: Path, content: Any) -> None:
        if content is not None:
            (tmp_path / "s").write_bytes(content if isinstance(content, bytes) else content.encode())
        text = BASE.replace(f'secret = "{SECRET}"', 'secret_file = "s"')
        message = self.fault(tmp_path, f"[default]\n{text}")
        assert "secret_file" in message
        assert str(tmp_path / "s") in message

    @pytest.mark.parametrize("path", [None, 5, b"profile.toml", "a\0b", "\ud800", "~nobody-of-that-name/profile.toml"])
    def test_what_is_no_path(self, path: Any) -> None:
        assert refused("1007", load_profile, path=path).startswith("path = ")

    @pytest.mark.parametrize("name", [None, 5, ["default"]])
    def test_what_is_no_table(self, tmp_path: Path, name: Any) -> None:
        assert "name of a table" in refused("1007", load_profile, path=tmp_path / "profile.toml", name=name)

    def test_secret_given_twice(self, tmp_path: Path) -> None:
        assert "one of the two" in self.fault(tmp_path, f'[default]\n{BASE}secret_file = "s"\n')

    def test_unknown_key(self, tmp_path: Path) -> None:
        message = self.fault(tmp_path, f'[default]\n{BASE}trust_ca = "ca.pem"\n')
        assert "[default]: trust_ca: no such key" in message
        assert "trust_ca_path" in message

    @pytest.mark.parametrize(
        "line",
        [
            "trust_ca_path = 5",
            'trust_ca_path = ""',
            "pool_size = 1.0",
            "pool_size = true",
            'read_timeout = "30"',
            "expected_hostname = ['a']",
            "minimum_version = 1.2",
            "minimum_version = ['1.2']",
            "platform_port = true",
            "proxy = 8080",
            'strict_x509 = "true"',
            "strict_x509 = 1",
        ],
    )
    def test_value_of_the_wrong_type_names_the_key(self, tmp_path: Path, line: str) -> None:
        assert f"[default]: {line.split()[0]}: " in self.fault(tmp_path, f"[default]\n{BASE}{line}\n")

    def test_value_out_of_range_names_the_profile_too(self, tmp_path: Path) -> None:
        assert "pool_size" in self.fault(tmp_path, f"[default]\n{BASE}pool_size = 0\n")

    def test_tls_settings_that_do_not_fit(self, tmp_path: Path) -> None:
        with pytest.raises(TlsError, match="without self_cert_path"):
            load_profile(self.write(tmp_path, f'[default]\n{BASE}self_key_path = "k"\n'))

    @pytest.mark.parametrize("name", ["platform_ip", "app_id", "secret"])
    def test_missing_key(self, tmp_path: Path, name: str) -> None:
        kept = "".join(line + "\n" for line in BASE.splitlines() if not line.startswith(name))
        assert f": {name}: it is missing" in self.fault(tmp_path, f"[default]\n{kept}", "1008")

    def test_missing_table_names_those_there(self, tmp_path: Path) -> None:
        assert "there: default, staging" in self.fault(tmp_path, f"[default]\n{BASE}[staging]\n", name="production")
        assert "belong in a table" in self.fault(tmp_path, BASE)

    def test_missing_file(self, tmp_path: Path) -> None:
        assert "does not exist" in refused("1007", load_profile, tmp_path / "nowhere.toml")

    def test_folder(self, tmp_path: Path) -> None:
        assert "cannot be read" in refused("1007", load_profile, tmp_path)

    def test_broken_toml_shows_the_line_and_no_secret(self, tmp_path: Path) -> None:
        assert "line 4" in self.fault(tmp_path, f"[default]\n{BASE[:-2]}\n")

    def test_bytes_that_are_no_text(self, tmp_path: Path) -> None:
        path = tmp_path / "iot.toml"
        path.write_bytes(b"[default]\napp_id = '\xff'\n")
        assert "not valid TOML" in refused("1007", load_profile, path)

    @pytest.mark.skipif(os.name != "posix", reason="rights are kept elsewhere there")
    @pytest.mark.parametrize(("mode", "warned"), [(0o600, False), (0o644, True), (0o660, True), (0o400, False)])
    def test_warns_of_a_secret_others_can_read(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture, mode: int, warned: bool
    ) -> None:
        path = self.write(tmp_path, f"[default]\n{BASE}")
        path.chmod(mode)
        with caplog.at_level(logging.WARNING, "iot_northbound"):
            load_profile(path)
        assert ("chmod 600" in caplog.text) == warned
        assert SECRET not in caplog.text
