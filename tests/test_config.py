import math
from typing import Any

import pytest

from iot_northbound.config import ClientInfo, HttpConfig
from iot_northbound.errors import InvalidArgumentError

SECRET = "invented-secret"
INFO: dict[str, Any] = {"platform_ip": "platform.example", "app_id": "app-1", "secret": SECRET}


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
            ("https://platform.example", "only the host"),
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
        assert f"ClientInfo.{name} contains a blank" in refused("1010", ClientInfo, **{**INFO, name: value})

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
