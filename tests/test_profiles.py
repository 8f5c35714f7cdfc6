import logging
import os
import ssl
from pathlib import Path
from typing import Any

import pytest

from iot_northbound import profiles
from iot_northbound.client import NorthApiClient
from iot_northbound.config import ClientInfo, HttpConfig
from iot_northbound.errors import InvalidArgumentError, TlsError
from iot_northbound.profiles import load_env, load_inbox_url, load_profile
from iot_northbound.push.inboxes import open_inbox

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


class TestEnvironment:
    def test_smallest(self) -> None:
        info, ssl_config, http, _ = load_env(ENVIRON)
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
        info, ssl_config, http, _ = load_env(environ)
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
        assert "only be given as an argument of SSLConfig" in message

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
        info, ssl_config, http, _ = load_profile(str(path), "production")
        assert (info.platform_port, http.read_timeout, ssl_config) == (443, 5, None)

    def test_paths_are_relative_to_the_file(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        monkeypatch.chdir(elsewhere)
        text = f'[default]\n{BASE}self_cert_path = "c.p12"\nself_cert_pwd = "x"\ntrust_ca_path = "/etc/ca.pem"\n'
        _, ssl_config, _, _ = load_profile(self.write(tmp_path, text))
        assert ssl_config is not None
        assert (ssl_config.self_cert_path, ssl_config.trust_ca_path) == (tmp_path / "c.p12", Path("/etc/ca.pem"))

    def test_secrets_in_files_of_their_own(self, tmp_path: Path) -> None:
        for name in ("secret.txt", "pwd.txt"):
            (tmp_path / name).write_text(f"{SECRET}\r\n")
            (tmp_path / name).chmod(0o600)
        text = BASE.replace(f'secret = "{SECRET}"', 'secret_file = "secret.txt"')
        text += 'self_cert_path = "c.p12"\nself_cert_pwd_file = "pwd.txt"\n'
        info, ssl_config, _, _ = load_profile(self.write(tmp_path, f"[default]\n{text}"))
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
        info, ssl_config, _, _ = load_profile(path)
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
        assert "[default]: trust_ca: there is no such key" in message
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
        assert "it has: default, staging" in self.fault(tmp_path, f"[default]\n{BASE}[staging]\n", name="production")
        assert "must be in a table" in self.fault(tmp_path, BASE)

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


class TestNoLimit:
    """Neither TOML nor the environment has a null, so a limit is switched off with a word."""

    @pytest.mark.parametrize("name", ["deadline", "calls_per_minute"])
    def test_a_limit_can_be_switched_off(self, tmp_path: Path, name: str) -> None:
        file = tmp_path / "iot.toml"
        file.write_text(f'[default]\nplatform_ip = "h"\napp_id = "a"\nsecret = "s"\n{name} = "none"\n')
        file.chmod(0o600)
        assert getattr(load_profile(file).http, name) is None
        assert getattr(load_env({**ENVIRON, f"IOT_NORTHBOUND_{name.upper()}": "none"}).http, name) is None

    def test_other_numbers_have_no_such_word(self) -> None:
        said = refused("1007", load_env, {**ENVIRON, "IOT_NORTHBOUND_READ_TIMEOUT": "none"})
        assert said == "IOT_NORTHBOUND_READ_TIMEOUT: it must be a number, not str"

    def test_another_word_is_refused_with_the_right_one(self) -> None:
        said = refused("1007", load_env, {**ENVIRON, "IOT_NORTHBOUND_DEADLINE": "never"})
        assert said == 'IOT_NORTHBOUND_DEADLINE: it must be a number, or "none"'


class TestSuggestions:
    def test_a_misspelt_key(self, tmp_path: Path) -> None:
        file = tmp_path / "iot.toml"
        file.write_text('[default]\nplatfrom_ip = "h"\n')
        said = refused("1007", load_profile, file)
        assert said.endswith("there is no such key; did you mean platform_ip or platform_port?")

    def test_a_key_like_no_other(self, tmp_path: Path) -> None:
        file = tmp_path / "iot.toml"
        file.write_text('[default]\nqqq = "h"\n')
        assert "there is no such key; the known keys are app_id, backoff_base" in refused("1007", load_profile, file)

    def test_a_misspelt_table(self, tmp_path: Path) -> None:
        file = tmp_path / "iot.toml"
        file.write_text('[production]\napp_id = "h"\n')
        assert refused("1007", load_profile, file, "prodction").endswith("did you mean production?")

    def test_a_misspelt_variable(self, caplog: pytest.LogCaptureFixture) -> None:
        load_env({**ENVIRON, "IOT_NORTHBOUND_DEADLNE": "5"})
        assert "IOT_NORTHBOUND_DEADLNE is not a setting of the SDK and is ignored" in caplog.text
        assert "; did you mean DEADLINE?" in caplog.text


class TestInbox:
    """One profile configures the client and the receiver."""

    PROFILE = '[default]\nplatform_ip = "h"\napp_id = "a"\nsecret = "s"\n'

    def profile(self, folder: Path, line: str) -> Path:
        file = folder / "iot.toml"
        file.write_text(f"{self.PROFILE}{line}\n")
        file.chmod(0o600)
        return file

    @pytest.mark.parametrize(
        ("given", "read"),
        [
            ("sqlite:pushes.sqlite3?wait=30", "sqlite:{folder}/pushes.sqlite3?wait=30"),
            ("sqlite:/var/lib/na/pushes.sqlite3", "sqlite:/var/lib/na/pushes.sqlite3"),
            ("memory:", "memory:"),
            ("postgresql://na@db.example/na", "postgresql://na@db.example/na"),
        ],
    )
    def test_a_profile_names_the_inbox(self, tmp_path: Path, given: str, read: str) -> None:
        file = self.profile(tmp_path, f'inbox = "{given}"')
        url = load_inbox_url(file)
        assert url == read.format(folder=tmp_path)
        open_inbox(url)
        assert load_profile(file).client_info.app_id == "a"

    def test_its_url_can_be_in_a_file_of_its_own(self, tmp_path: Path) -> None:
        (tmp_path / "url").write_text(f"postgresql://na:{SECRET}@db.example/na\n")
        (tmp_path / "url").chmod(0o600)
        file = self.profile(tmp_path, 'inbox_file = "url"')
        assert load_inbox_url(file) == f"postgresql://na:{SECRET}@db.example/na"

    def test_a_client_does_not_read_the_file_of_the_inbox(self, tmp_path: Path) -> None:
        assert load_profile(self.profile(tmp_path, 'inbox_file = "missing"')).client_info.app_id == "a"
        said = refused("1007", load_inbox_url, self.profile(tmp_path, 'inbox_file = "missing"'))
        assert "missing cannot be read: No such file or directory" in said

    def test_the_environment_names_it_too(self) -> None:
        assert load_inbox_url(environ={"IOT_NORTHBOUND_INBOX": "memory:"}) == "memory:"
        said = refused("1007", load_inbox_url, environ=ENVIRON)
        assert said.startswith("IOT_NORTHBOUND_INBOX: it is missing (or inbox_file)")

    def test_only_one_of_the_two_is_given(self, tmp_path: Path) -> None:
        file = self.profile(tmp_path, f'inbox_file = "url"\ninbox = "postgresql://na:{SECRET}@db.example/na"')
        assert "inbox is given too" in refused("1007", load_inbox_url, file)


def test_an_http_config_replaces_that_of_the_profile(tmp_path: Path) -> None:
    file = tmp_path / "iot.toml"
    file.write_text('[default]\nplatform_ip = "h"\napp_id = "a"\nsecret = "s"\nread_timeout = 7\ndeadline = 8\n')
    file.chmod(0o600)
    settings = load_profile(file)
    assert settings.with_http(None) == settings
    assert settings.with_http(HttpConfig(deadline=None)).http == HttpConfig(deadline=None)
    for client in (
        NorthApiClient.from_profile(file, http=HttpConfig(deadline=None)),
        NorthApiClient.from_env(ENVIRON, http=HttpConfig(deadline=None)),
    ):
        assert client._options.deadline is None
        assert client._options.timeouts.read == HttpConfig().read_timeout
    with pytest.raises(InvalidArgumentError, match="http = a dict: it must be a HttpConfig or None"):
        NorthApiClient.from_profile(file, http={"deadline": None})  # type: ignore[arg-type]


def test_a_file_that_is_deleted_after_it_was_read_is_read_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "secret"
    file.write_text(f"{SECRET}\n")
    read = profiles.read_text

    def last(path: Path) -> str:
        text = read(path)
        path.unlink()
        return text

    monkeypatch.setattr(profiles, "read_text", last)
    environ = {**ENVIRON, "IOT_NORTHBOUND_SECRET_FILE": str(file)}
    del environ["IOT_NORTHBOUND_SECRET"]
    assert load_env(environ).client_info.secret == SECRET
