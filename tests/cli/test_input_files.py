"""Whatever a person gives for a file that is read, the command ends with one sentence that names it."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from iot_northbound import input_files
from iot_northbound.cli import main

ADDRESS = ("--platform-ip", "127.0.0.1", "--platform-port", "9", "--app-id", "a")
LISTEN = ("listen", "--memory", "--port", "0")
SIMULATE = ("simulate", "--mqtt-host", "127.0.0.1", "--mqtt-port", "9", "--credentials")
READERS = {
    "secret": ("token", "status", *ADDRESS, "--secret-file", "@"),
    "certificate": ("devices", "list", *ADDRESS, "--secret-file", "secret", "--cert", "@"),
    "password": ("devices", "list", *ADDRESS, "--secret-file", "secret", "--cert", "x", "--cert-password-file", "@"),
    "CA": ("devices", "list", *ADDRESS, "--secret-file", "secret", "--ca", "@"),
    "profile": ("devices", "list", "--profile", "@:default"),
    "rows": ("devices", "import", "@", *ADDRESS, "--secret-file", "secret", "--form", "csv"),
    "rows to delete": ("devices", "delete", "--yes", "--from", "@", *ADDRESS, "--secret-file", "secret"),
    "JSON": ("batch", "create", "n", "A.B", "--all", "--paras", "@@", *ADDRESS, "--secret-file", "secret"),
    "body": ("call", "POST", "/x", "--body", "@", *ADDRESS, "--secret-file", "secret"),
    "scenario": (*SIMULATE, "secret", "--scenario", "@"),
    "credentials": (*SIMULATE, "@"),
    "model": (*SIMULATE, "devices.csv", "--model", "@"),
    "TLS certificate": (*LISTEN, "--tls-cert", "@"),
    "TLS key": (*LISTEN, "--tls-cert", "secret", "--tls-key", "@"),
    "TLS password": (*LISTEN, "--tls-cert", "secret", "--tls-key-password-file", "@"),
    "path secret": (*LISTEN, "--path-secret-file", "@"),
    "callback CA": ("emulator", "--port", "0", "--home", "home", "--callback-ca", "@"),
}


def fifo() -> str:
    os.mkfifo("given")
    return "given"


def folder() -> str:
    Path("given").mkdir()
    return "given"


def huge() -> str:
    with Path("given").open("wb") as file:
        file.truncate(1 << 40)
    return "given"


@pytest.mark.parametrize("make", [fifo, folder, huge, lambda: "/dev/zero"], ids=["pipe", "folder", "huge", "device"])
@pytest.mark.parametrize("reader", READERS)
def test_what_is_no_file_is_refused(
    reader: str,
    make: Callable[[], str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(input_files, "_PATIENCE", 0.0)
    Path("secret").write_text("not-a-real-secret")
    Path("secret").chmod(0o600)
    Path("devices.csv").write_text("deviceId,secret\nd1,not-a-real-secret\n")
    given = make()
    arguments = [each.replace("@", given, 1) if each in ("@", "@:default") else each for each in READERS[reader]]
    arguments = [f"@{given}" if each == "@@" else each for each in arguments]
    try:
        status = main(arguments)
    except SystemExit as end:
        status = int(end.code or 0)
    said = capsys.readouterr().err
    assert status in (1, 2, 3, 5), said
    assert given in said
    assert "Traceback" not in said
