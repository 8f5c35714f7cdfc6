"""The command as a whole: help, wrong calls, what is missing, how it ends."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from iot_northbound.cli import main
from iot_northbound.cli.app import COMMANDS, root
from iot_northbound.cli.basic_test import basic_test
from iot_northbound.errors import NotFoundError

LEAN = """
import sys
class Without:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"uvicorn", "httptools", "uvloop", "sortedcontainers", "paho", "keyring"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Without())
from iot_northbound.cli import main
sys.exit(main(sys.argv[1:]))
"""
LEAN_HELP = LEAN.replace(
    "sys.exit(main(sys.argv[1:]))", "print({each: main([each, '--help']) for each in sys.argv[1:]})"
)


def run(*arguments: str, program: str | None = None, **rest: Any) -> subprocess.CompletedProcess[str]:
    how = ["-m", "iot_northbound"] if program is None else ["-c", program]
    return subprocess.run(
        [sys.executable, *how, *arguments], capture_output=True, text=True, timeout=60, check=False, **rest
    )


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("IOT_NORTHBOUND_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("IOT_NORTHBOUND_EMULATOR_HOME", str(tmp_path / "no-emulator"))


def failing(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def fail(**_: Any) -> int:
        raise error

    monkeypatch.setattr(basic_test, "callback", fail)


def every_command(
    group: click.Group = root, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Yield every command and group with its words, except the root."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield (*path, name), command
        if isinstance(command, click.Group):
            yield from every_command(command, (*path, name))


@pytest.mark.parametrize(("words", "command"), [pytest.param(*each, id=" ".join(each[0])) for each in every_command()])
def test_every_command_explains_itself_and_each_of_its_options(
    words: tuple[str, ...], command: click.Command, capsys: pytest.CaptureFixture[str]
) -> None:
    helps = {each.opts[-1]: each.help or "" for each in command.params if isinstance(each, click.Option)}
    assert [name for name, text in helps.items() if not text or text.endswith("; by default") or "None" in text] == []
    assert main([*words, "--help"]) == 0
    told = capsys.readouterr().out
    assert told.partition("\n\n")[2].startswith("  ")  # after the usage, which may be long, comes what it does
    lines = told.splitlines()
    assert max(map(len, lines)) <= 80
    lines = lines[lines.index("Options:") :]
    options = [(line, after) for line, after in zip(lines, [*lines[1:], ""], strict=True) if line.startswith("  -")]
    assert options
    bare = [line for line, after in options if "  " not in line.strip() and not after.startswith(" " * 10)]
    assert bare == []


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"]])
def test_the_help_of_all_names_every_command(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 0
    told = capsys.readouterr().out
    assert all(f"  {command}" in told for command in COMMANDS)
    assert "IOT_NORTHBOUND_DEBUG" in told


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("iot-northbound ")


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["basic-tset"], "has no command 'basic-tset'; did you mean basic-test?"),
        (["nonsense"], "has no command 'nonsense'; there are basic-test, "),
        (["basic-test", "--secret", "x"], "give --secret-file, or set IOT_NORTHBOUND_SECRET"),
        (["basic-test", "--secret=x"], "give --secret-file, or set IOT_NORTHBOUND_SECRET"),
        (["basic-test", "--cert-password", "x"], "give --cert-password-file"),
        (["listen", "--path-secret", "x"], "give --path-secret-file"),
        (["basic-test", "--jsn"], "there is no --jsn; did you mean --json?"),
        (["basic-test", "--js"], "there is no --js"),
        (["listen", "--mem"], "there is no --mem"),
        (["emulator", "--no-c"], "there is no --no-c"),
        (["--vers", "emulator"], "there is no --vers"),
        (["basic-test", "-x"], "there is no -x"),
        (["basic-test", "stray"], "unexpected extra argument (stray); `iot-northbound basic-test --help` explains it"),
        (["basic-test", "--timeout", "0"], "--timeout"),
        (["basic-test", "--timeout", "nan"], "--timeout"),
        (["basic-test", "--timeout", "1e300"], "--timeout: '1e300' is not a number of seconds above 0 and up to 86400"),
        (["basic-test", "--platform-ip", "h", "--platform-port", "0"], "--platform-port"),
        (["basic-test", "--platform-ip", "h", "--platform-port", "x"], "--platform-port"),
        (["basic-test", "--platform-ip", "h", "--profile", "p"], "--profile"),
        (["basic-test", "--emulator", "d", "--profile", "p"], "--profile"),
        (["basic-test", "--platform-ip", "h"], "--app-id"),
        (["basic-test", "--platform-ip", "h", "--app-id", "a"], "--secret-file"),
        (["basic-test", "--app-id", "a"], "--app-id needs --platform-ip"),
        (["basic-test", "--profile", "p", "--ca", "f"], "--ca needs --platform-ip"),
        (["emulator", "--port", "70000"], "--port"),
        (["listen", "--port", "-1"], "--port"),
        (["listen", "--tls-key", "k"], "--tls-key needs --tls-cert"),
        (["listen", "--client-name", "n"], "--client-name needs --tls-client-ca"),
        (["listen", "--client-name", "n", "--tls-cert", "c"], "--client-name needs --tls-client-ca"),
        (["listen", "--tls-strict-x509", "--tls-cert", "c"], "--tls-strict-x509 needs --tls-client-ca"),
        (["listen", "--callback-url", "http://h"], "--callback-url needs --subscribe"),
        (["listen", "--profile", "p"], "--profile needs --subscribe"),
        (["listen", "--emulator"], "--emulator needs --subscribe"),
        (["listen", "--platform-ip", "h", "--app-id", "a"], "--platform-ip needs --subscribe"),
        (["listen", "--kind", "nonsense"], "there is no 'nonsense' (--help lists all)"),
        (["listen", "--subscribe", "--kind", "devceAdded"], "did you mean deviceAdded"),
        (["listen", "--kind", "deviceAdded", "--kind", "nothing*"], "there is no 'nothing*'"),
        (["listen", "--subscribe", "--kind", "commandStatusChanged"], "nothing to subscribe to"),
        (["listen", "--subscribe", "--app-id", "a"], "--app-id needs --platform-ip"),
    ],
)
def test_a_wrong_call_is_named_with_status_2(
    arguments: list[str], named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    told = capsys.readouterr().err
    assert told.startswith("iot-northbound: ")
    assert named in told
    assert told.count("\n") == 1


def test_the_value_of_an_unknown_option_is_not_shown(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["--secret", "sesame"], ["--secret=sesame"], ["-Ssesame"]):
        assert main(["basic-test", *arguments]) in (0, 2)
        assert "sesame" not in capsys.readouterr().err


def test_the_other_commands_do_without_the_extras(tmp_path: Path) -> None:
    assert run("--help", program=LEAN).returncode == 0
    helped = run(*COMMANDS, program=LEAN_HELP)  # one process: what is missing is missing for each command
    assert helped.stdout.splitlines()[-1:] == [str(dict.fromkeys(COMMANDS, 0))], helped.stderr
    told = run("basic-test", "--emulator", str(tmp_path), program=LEAN)
    assert told.returncode == 2
    assert "start `iot-northbound emulator`" in told.stderr


@pytest.mark.parametrize(
    ("arguments", "extra"), [(["emulator", "--port", "0"], "emulator"), (["listen", "--memory"], "receiver")]
)
def test_a_missing_extra_is_named(arguments: list[str], extra: str, tmp_path: Path) -> None:
    told = run(*arguments, program=LEAN, cwd=tmp_path)
    assert told.returncode == 1
    assert told.stderr.count("\n") == 1
    assert f"pip install 'iot-northbound[{extra}]'" in told.stderr


def test_help_loads_neither_the_client_nor_the_platform() -> None:
    program = (
        "import sys, contextlib\nfrom iot_northbound.cli import main\nwith contextlib.suppress(SystemExit): main()\n"
        "heavy = 'requests', 'cryptography', 'uvicorn', 'cattrs', 'attrs', 'rich', 'tomlkit'\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    assert run("--help", program=program).stdout.splitlines()[-1] == "[]"


def test_the_package_imports_nothing_of_the_command_line() -> None:
    program = (
        "import sys\nfrom iot_northbound import *\nimport iot_northbound.push\n"
        "print([name for name in ('click', 'rich', 'tomlkit', 'keyring') if name in sys.modules])"
    )
    assert run(program=program).stdout == "[]\n"


def test_ctrl_c_ends_with_130(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    failing(monkeypatch, KeyboardInterrupt())
    assert main(["basic-test"]) == 130
    assert capsys.readouterr().err == ""


def test_ctrl_c_while_the_command_loads_has_no_traceback() -> None:
    program = """
import sys
class Interrupted:
    def find_spec(self, name, path=None, target=None):
        if name == "click":
            raise KeyboardInterrupt
sys.meta_path.insert(0, Interrupted())
from iot_northbound.cli import main
sys.exit(main())
"""
    ended = run("errors", program=program)
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, "", "")


def test_a_failure_of_the_api_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    failing(monkeypatch, NotFoundError("100403", "no such device"))
    assert main(["basic-test"]) == 7
    told = capsys.readouterr().err
    assert told.startswith("iot-northbound: 100403: no such device.")
    assert told.count("\n") == 1


def test_an_error_of_the_system_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    failing(monkeypatch, PermissionError(13, "Permission denied", "inbox.sqlite3"))
    assert main(["basic-test"]) == 1
    assert "Permission denied: 'inbox.sqlite3'" in capsys.readouterr().err


def test_an_unexpected_failure_says_how_to_see_more_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    failing(monkeypatch, ValueError("sesame"))
    assert main(["basic-test"]) == 70
    told = capsys.readouterr().err
    assert "ValueError" in told
    assert "--debug" in told
    assert "sesame" not in told
    assert told.count("\n") == 1


@pytest.mark.parametrize("switch", ["--debug before", "--debug", "IOT_NORTHBOUND_DEBUG"])
@pytest.mark.parametrize(("error", "ends"), [(ValueError("sesame"), 70), (NotFoundError("100403", "no device"), 7)])
def test_debug_shows_the_traceback(
    switch: str, error: Exception, ends: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    failing(monkeypatch, error)
    if switch == "IOT_NORTHBOUND_DEBUG":
        monkeypatch.setenv(switch, "1")
    before, after = ["--debug"] * (switch == "--debug before"), ["--debug"] * (switch == "--debug")
    assert main([*before, "basic-test", *after]) == ends
    told = capsys.readouterr().err
    assert told.startswith("Traceback")
    assert f"{type(error).__name__}: " in told
    assert told.splitlines()[-1].startswith("iot-northbound: ")


def test_a_reader_that_goes_away_is_not_a_failure() -> None:
    command = [sys.executable, "-m", "iot_northbound", "listen", "--help"]
    read, write = os.pipe()
    os.close(read)
    with subprocess.Popen(command, stdout=write, stderr=subprocess.PIPE, text=True) as process:
        os.close(write)
        _, told = process.communicate(timeout=60)
    assert told == ""
    assert process.returncode in (0, 141)  # argparse swallows some of it


def test_characters_that_the_terminal_does_not_have_are_escaped(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    told = run("basic-test", "--profile", "zähler.toml", env=environment, cwd=tmp_path)
    assert told.returncode == 3
    assert "Traceback" not in told.stderr
    assert r"z\xe4hler.toml" in told.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("devices", "list", "--limit", "x"), "--limit: 'x' is not a whole number"),
        (("emulator", "advance", "1m"), "seconds: '1m' is not a number"),
        (("subscriptions", "ensure", "na.example/x", "deviceAdded"), "URL: 'na.example/x' must begin with http"),
    ],
)
def test_a_wrong_value_is_refused_in_plain_words(
    arguments: tuple[str, ...], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    assert words in capsys.readouterr().err
