"""Files that a person names are read with a bound, and what is no file is refused."""

import io
import os
import threading
from pathlib import Path

import pytest

from iot_northbound import input_files
from iot_northbound.input_files import LineTooLongError, lines_of, open_file, read_bytes


def test_a_file_is_read_whole(tmp_path: Path) -> None:
    file = tmp_path / "x"
    file.write_bytes(b"ab")
    assert read_bytes(file) == read_bytes(file, 2, again=True) == b"ab"
    with pytest.raises(OSError, match="more than 0 MiB"):
        read_bytes(file, 1)


def test_a_sparse_file_is_not_read_to_its_end(tmp_path: Path) -> None:
    with (tmp_path / "x").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(OSError, match="it has more than 16 MiB"):
        read_bytes(tmp_path / "x")


@pytest.mark.parametrize("device", ["/dev/zero", "/dev/null"])
def test_a_device_is_no_file(device: str) -> None:
    with pytest.raises(OSError, match="it is a device, not a file"):
        open_file(device)


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError):
        read_bytes(tmp_path)


def test_a_pipe_is_read_as_a_shell_gives_one() -> None:
    reading, writing = os.pipe()
    with open(reading, "rb", buffering=0), open(writing, "wb", buffering=0) as pipe:
        pipe.write(b"secret\n")
        pipe.close()
        assert read_bytes(f"/dev/fd/{reading}") == b"secret\n"


def test_a_named_pipe_waits_for_its_writer(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=lambda: path.write_bytes(b"secret"))
    writer.start()
    assert read_bytes(path) == b"secret"
    writer.join()


def test_a_pipe_without_a_writer_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(input_files, "_PATIENCE", 0.0)
    path = tmp_path / "pipe"
    os.mkfifo(path)
    with pytest.raises(OSError, match="it is a pipe, and nothing came out of it"):
        read_bytes(path)
    with pytest.raises(OSError, match="it is a pipe, not a file"):
        read_bytes(path, again=True)


def test_a_line_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(input_files, "_LONGEST", 4)
    assert list(lines_of(io.StringIO("ab\nabc"))) == ["ab\n", "abc"]
    with pytest.raises(LineTooLongError, match="longer than 4 characters"):
        list(lines_of(io.StringIO("a\nabcdef")))
