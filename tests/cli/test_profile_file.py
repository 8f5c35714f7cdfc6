"""Two processes that write a table of one file at the same moment: both tables are there."""

import fcntl
import threading
from pathlib import Path
from typing import Any

import pytest

from iot_northbound.cli import profile_file
from iot_northbound.config import ClientInfo, HttpConfig, Settings
from iot_northbound.ssl_config import SSLConfig

SETTINGS = Settings(
    ClientInfo(platform_ip="platform.example", platform_port=8743, app_id="app", secret="not-a-real-one"),
    SSLConfig(),
    HttpConfig(),
)


def test_a_table_that_another_process_writes_meanwhile_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "new" / "profile.toml"
    came = threading.Event()
    flock, replace = fcntl.flock, profile_file._replace

    def other() -> None:
        profile_file.write(file, "theirs", SETTINGS, in_keyring=False)
        came.set()

    thread = threading.Thread(target=other)

    def locked(*arguments: Any) -> None:
        if threading.current_thread() is thread:
            came.set()
        flock(*arguments)

    def replaced(*arguments: Any) -> None:
        if threading.current_thread() is not thread:
            thread.start()
            came.wait(60)
        replace(*arguments)

    monkeypatch.setattr(fcntl, "flock", locked)
    monkeypatch.setattr(profile_file, "_replace", replaced)
    profile_file.write(file, "ours", SETTINGS, in_keyring=False)
    thread.join(60)
    assert profile_file.has_table(file, "ours")
    assert profile_file.has_table(file, "theirs")
