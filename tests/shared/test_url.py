"""Where a shared state is: what a URL may say, and what is shown of it."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iot_northbound import InvalidArgumentError
from iot_northbound.shared import read_url
from iot_northbound.shared.url import absolute

SECRET = "invented-password"  # of a test


@pytest.mark.parametrize(
    ("url", "engine", "target", "shown"),
    [
        ("file:/var/lib/na/shared.sqlite3", "file", "/var/lib/na/shared.sqlite3", "file:/var/lib/na/shared.sqlite3"),
        ("file:///var/lib/na/a%20b", "file", "/var/lib/na/a b", "file:/var/lib/na/a b"),
        ("redis://cache", "redis", "redis://cache", "redis://cache"),
        (f"redis://user:{SECRET}@cache:6380/2", "redis", f"redis://user:{SECRET}@cache:6380/2", "redis://cache:6380/2"),
        (f"rediss://:{SECRET}@[::1]:6379/0", "redis", f"rediss://:{SECRET}@[::1]:6379/0", "rediss://[::1]:6379/0"),
        ("redis://cache/", "redis", "redis://cache/", "redis://cache/"),
        ("valkey://cache", "redis", "redis://cache", "valkey://cache"),
        (
            f"postgresql://na:{SECRET}@db/na?sslmode=verify-full&schema=iot&password={SECRET}",
            "postgresql",
            f"postgresql://na:{SECRET}@db/na?sslmode=verify-full&password={SECRET}",
            "postgresql://db/na",
        ),
        ("postgres:///na", "postgresql", "postgresql:///na", "postgres:///na"),
        (
            f"postgresql://na:{SECRET}@one:5432,[::1]:5433,three/na?target_session_attrs=primary",
            "postgresql",
            f"postgresql://na:{SECRET}@one:5432,[::1]:5433,three/na?target_session_attrs=primary",
            "postgresql://one:5432,[::1]:5433,three/na",
        ),
    ],
)
def test_a_url_says_the_engine_and_where_and_is_shown_without_password(
    url: str, engine: str, target: str, shown: str
) -> None:
    found = read_url(url)
    assert (found.engine, found.target, found.shown) == (engine, target, shown)
    assert SECRET not in repr(found)


def test_options_of_ours_are_taken_out() -> None:
    found = read_url("rediss://cache/0?lease=2.5&ca=/etc/ca.pem&cert=/etc/c.pem&key=/etc/k.pem")
    assert found.lease == 2.5
    assert found.options == {"ca": "/etc/ca.pem", "cert": "/etc/c.pem", "key": "/etc/k.pem"}
    assert found.target == "rediss://cache/0"


@pytest.mark.parametrize(
    ("url", "rule"),
    [
        ("", "it must begin as file:/path, redis://host"),
        (f"{SECRET}", "it must begin as file:/path"),
        ("http://cache", "it must begin as"),
        ("file:", "it must name a file of this machine"),
        ("file:/var/lib/", "it must name a file"),
        ("file://server/share/x", "it must name a file of this machine"),
        ("file:/a%00b", "it must name a file"),
        ("file:/a#b", "write it as %23"),
        ("file:/a?leese=3", "there is no option 'leese'; the options are lease"),
        ("file:~nobody-here/x", "no home folder"),
        ("redis:///0", "the host is missing"),
        (f"redis://:{SECRET}#x@cache", "***"),
        ("redis://cache/name", "what follows the host must be the number of a database"),
        ("redis://cache/0/name", "what follows the host must be the number of a database"),
        ("redis://cache/-1", "what follows the host must be the number of a database"),
        ("redis://cache/\u0663", "what follows the host must be the number of a database"),
        ("redis://cache?timeout=3", "there is no option 'timeout'; the options are ca, cert, key, lease"),
        ("redis://cache?lease=0", "lease must be a number of seconds from 0.5 to 60"),
        ("redis://cache?lease=nan", "lease must be a number"),
        ("redis://cache?lease=soon", "lease must be a number"),
        (f"redis://:{SECRET}@cache:port/0", "it is not a URL with a valid host and port"),
        (f"redis://:{SECRET}@[::1/0", "it is not a URL with a valid host and port"),
        (f"redis://:{SECRET}@cache:65536/0", "it is not a URL with a valid host and port"),
        (f"redis://:1/{SECRET}@cache/0", "it is not a URL with a valid host and port"),
        (f"postgresql://na:1/{SECRET}@db/na", "it is not a URL with a valid host and port"),
        (f"postgresql://na:{SECRET}@db:5432,other:port/na", "it is not a URL with a valid host and port"),
        (f"redis://:{SECRET}@one:26379,two:26379/0", "it must name one server"),
        (f"redis+sentinel://:{SECRET}@one:26379,two:26379/name", "with Sentinel, a name that leads to the master"),
    ],
)
def test_a_url_that_cannot_be_used_is_refused_without_its_password(url: str, rule: str) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        read_url(url)
    assert caught.value.error_code == "1007"
    assert rule in str(caught.value)
    assert SECRET not in str(caught.value)


SCHEMES = st.sampled_from(["file:", "redis://", "postgresql://"])


@given(st.text(max_size=60) | st.builds("{}{}".format, SCHEMES, st.text()))
def test_any_text_is_a_url_or_refused(text: str) -> None:
    try:
        found = read_url(text)
    except InvalidArgumentError:
        return
    assert found.engine in {"file", "redis", "postgresql"}


@pytest.mark.parametrize("url", [None, 3, b"file:/x"])
def test_what_is_no_text_is_refused(url: object) -> None:
    with pytest.raises(InvalidArgumentError, match="it must be text"):
        read_url(url)  # type: ignore[arg-type]


def test_a_relative_path_begins_at_the_given_folder(tmp_path: Path) -> None:
    folder = tmp_path / "with blank #1"
    assert read_url(absolute("file:shared.sqlite3?lease=2", folder)).target == str(folder / "shared.sqlite3")
    assert absolute("file:/x", folder) == "file:/x"
    assert absolute("file:~/x", folder) == "file:~/x"
    assert absolute("redis://x", folder) == "redis://x"
