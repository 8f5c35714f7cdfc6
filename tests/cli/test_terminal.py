"""No text of a platform controls a terminal, and the command ends well whatever its streams are."""

import io
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from iot_northbound.cli import main
from iot_northbound.cli.output import Column, Output, harmless
from iot_northbound.cli.wording import LogFormatter, say
from iot_northbound.errors import NotFoundError

from .test_main import failing

HOSTILE = "\x1b[2J\x9b31m\x07gone\niot-northbound: all is well"


class Terminal(io.StringIO):
    """A stream that is a terminal."""

    def isatty(self) -> bool:
        return True


def controls(text: str) -> list[str]:
    return [each for each in text if not each.isprintable() and each != "\n"]


@pytest.mark.parametrize("error", [NotFoundError("100403", HOSTILE), OSError(5, HOSTILE)])
def test_an_error_of_the_platform_is_one_line_without_controls(
    error: Exception, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    failing(monkeypatch, error)
    main(["basic-test"])
    told = capsys.readouterr().err
    assert (controls(told), told.count("\n")) == ([], 1)
    main(["basic-test", "--debug"])
    assert controls(capsys.readouterr().err) == []


def test_a_log_and_a_note_have_no_controls(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        raise ValueError(HOSTILE)
    except ValueError:
        record = logging.LogRecord("iot", logging.WARNING, "", 1, "told: %s", (HOSTILE,), sys.exc_info())
    assert controls(LogFormatter().format(record)) == []
    say(HOSTILE)
    assert controls(capsys.readouterr().err) == []


def test_csv_controls_no_terminal_and_is_whole_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    for stream, kept in ((Terminal(), False), (io.StringIO(), True)):
        monkeypatch.setattr(sys, "stdout", stream)
        Output("csv").rows([{"name": HOSTILE}], [Column("name", "name")])
        assert (HOSTILE in stream.getvalue(), not controls(stream.getvalue())) == (kept, not kept)
        harmless(stream).write(HOSTILE)
        assert bool(controls(stream.getvalue())) is kept


def ended(redirection: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "iot_northbound", *arguments]
    how = ["sh", "-c", f'"$@" {redirection}', "sh", *command]
    return subprocess.run(how, capture_output=True, text=True, timeout=60, check=False)


def test_a_closed_output_is_no_failure_and_a_closed_stderr_moves_nothing_to_the_output() -> None:
    silent = ended(">&-", "errors", "1007")
    assert (silent.returncode, silent.stderr) == (0, "")
    wrong = ended("2>&-", "errors", "9999999")
    assert (wrong.returncode, wrong.stdout) == (2, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a full disk")
@pytest.mark.parametrize("arguments", [("errors",), ("--help",), ("--version",), ("errors", "-o", "csv")])
def test_a_full_disk_is_a_sentence(arguments: tuple[str, ...]) -> None:
    full = ended("> /dev/full", *arguments)
    assert (full.returncode, full.stderr.count("\n")) == (1, 1), full.stderr
    assert os.strerror(28) in full.stderr
