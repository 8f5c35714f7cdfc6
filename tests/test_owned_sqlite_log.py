"""Damage in a write-ahead log is refused and not skipped. A log that a crash interrupted is accepted."""

import contextlib
import random
import shutil
import sqlite3
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iot_northbound.owned_sqlite import OwnedSqlite, UnfitFileError
from iot_northbound.owned_sqlite_log import lost_in
from tests.test_owned_sqlite import SCHEMA, opened

HEADER, FRAME = 32, 24 + 4_096


def beside(path):
    return path.with_name(path.name + "-wal")


def crashed(folder, transactions=6, rows=1, before=0):
    """Return a file and its log as a kill leaves them: so many transactions in the log, others in the file."""
    folder.mkdir(exist_ok=True)
    file = opened(folder / "running")
    for number in range(before + transactions):
        if number == before:
            file.writer.execute("PRAGMA wal_checkpoint(RESTART)")
        with file.transaction() as db:
            db.executemany("INSERT INTO things VALUES (?)", [(f"{number} {row} {'x' * 50}",) for row in range(rows)])
    path = folder / "file.sqlite3"
    shutil.copy(file.path, path)
    shutil.copy(beside(file.path), beside(path))
    file.close()
    return path


def found(path):
    """Return the transactions in the file."""
    names = []
    OwnedSqlite(
        path, SCHEMA, lambda db: names.extend(name for (name,) in db.execute("SELECT name FROM things"))
    ).close()
    return sorted({int(name.split()[0]) for name in names})


def damage(path, offset, content=b"\xff\xff"):
    log = bytearray(beside(path).read_bytes())
    assert offset + len(content) <= len(log)
    log[offset : offset + len(content)] = content
    beside(path).write_bytes(log)


def test_a_log_as_a_kill_leaves_it_is_read_whole(tmp_path):
    assert found(crashed(tmp_path)) == [*range(6)]
    assert found(crashed(tmp_path / "used twice", before=5, transactions=2)) == [*range(7)]


@pytest.mark.parametrize(
    ("what", "offset", "content"),
    [
        ("the magic number", 0, b"\0"),
        ("the version", 4, b"\xff"),
        ("the page size", 8, b"\xff"),
        ("a salt", 16, b"\xff\xff\xff"),
        ("the sums of the header", 24, b"\xff\xff\xff"),
        ("the whole header", 0, bytes(HEADER)),
        ("the first frame's page", HEADER + 24 + 100, b"\xff"),
        ("the first frame's salt", HEADER + 8, b"\xff\xff\xff"),
        ("the first frame's sums", HEADER + 16, b"\xff\xff\xff"),
        ("the first frame's page number", HEADER, b"\xff"),
        ("a page in the middle", HEADER + 2 * FRAME + 24, bytes(4_096)),
        ("a salt in the middle", HEADER + 2 * FRAME + 8, b"\xff\xff\xff"),
        ("the last frame but one", HEADER + 4 * FRAME + 24, bytes(4_096)),
    ],
)
@pytest.mark.parametrize("before", [0, 3])
def test_damage_that_would_cost_committed_data_is_refused_and_nothing_is_touched(
    tmp_path, what, offset, content, before
):
    path = crashed(tmp_path, before=before)
    damage(path, offset, content)
    kept = path.read_bytes(), beside(path).read_bytes()
    for _ in range(2):
        with pytest.raises(UnfitFileError, match=r"file\.sqlite3-wal, .* is damaged: .* move it away"):
            opened(path)
    assert (path.read_bytes(), beside(path).read_bytes()) == kept
    beside(path).rename(tmp_path / "away")
    assert found(path) == [*range(before)]


def test_damage_of_the_only_transaction_in_the_log_is_refused(tmp_path):
    path = crashed(tmp_path, transactions=1, rows=200)
    damage(path, HEADER + FRAME + 100)
    with pytest.raises(UnfitFileError, match="1 of the transactions"):
        opened(path)


def test_damage_of_the_last_transaction_looks_like_a_crash(tmp_path):
    path = crashed(tmp_path)
    damage(path, HEADER + 5 * FRAME + 100)
    assert found(path) == [*range(5)]


def test_a_log_that_a_crash_interrupts_at_any_point_is_accepted(tmp_path):
    path = crashed(tmp_path, transactions=3, rows=200)
    log = beside(path).read_bytes()
    frames = (len(log) - HEADER) // FRAME
    assert frames > 9
    ends = [0, HEADER] + [HEADER + number * FRAME + part for number in range(frames) for part in (10, 2_000, FRAME)]
    for end in ends:
        beside(path).write_bytes(log[:end])
        assert lost_in(beside(path)) is None, end


def test_a_log_that_is_used_again_and_cut_short_is_taken(tmp_path):
    """The header is new and on the disk, and the frames behind it are still those of the first use."""
    path = crashed(tmp_path, before=6, transactions=2)
    log = beside(path).read_bytes()
    assert len(log) >= HEADER + 6 * FRAME
    beside(path).write_bytes(log[:HEADER] + log[HEADER + 2 * FRAME :])
    assert lost_in(beside(path)) is None
    assert found(path) == [*range(6)]


def test_a_transaction_that_was_undone_is_not_damage(tmp_path):
    file = opened(tmp_path / "running")
    file.writer.execute("PRAGMA cache_size = 1")
    with file.transaction() as db:
        db.execute("INSERT INTO things VALUES ('0 first')")
    with contextlib.suppress(KeyError), file.transaction() as db:
        db.executemany("INSERT INTO things VALUES (?)", [(f"1 {'x' * 3_000}",)] * 50)
        raise KeyError
    assert beside(file.path).stat().st_size > HEADER + 20 * FRAME
    with file.transaction() as db:
        db.execute("INSERT INTO things VALUES ('2 last')")
    for end in ("", "-wal"):
        shutil.copy(f"{file.path}{end}", f"{tmp_path / 'file.sqlite3'}{end}")
    assert found(tmp_path / "file.sqlite3") == [0, 2]
    file.close()


@pytest.mark.parametrize("content", [b"", bytes(HEADER), bytes(100_000)])
def test_a_log_that_was_never_written_is_taken(tmp_path, content):
    path = tmp_path / "file.sqlite3"
    opened(path).close()
    beside(path).write_bytes(content)
    opened(path).close()


@pytest.mark.parametrize("content", [b"messages", b"\0" * 50_000 + b"messages"])
def test_a_log_of_something_else_is_refused(tmp_path, content):
    path = tmp_path / "file.sqlite3"
    opened(path).close()
    beside(path).write_bytes(content)
    with pytest.raises(UnfitFileError, match="first bytes"):
        opened(path)
    assert beside(path).read_bytes() == content


def test_a_file_without_tables_and_with_a_log_is_refused(tmp_path):
    """The tables were in the log, as other programs that write SQLite files leave them."""
    made = tmp_path / "made"
    path = tmp_path / "file.sqlite3"
    with sqlite3.connect(made) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute(SCHEMA.tables.strip(";"))
        db.commit()
        shutil.copy(made, path)
        log = beside(made).read_bytes()
    db.close()
    beside(path).write_bytes(log[: HEADER + 10])
    with pytest.raises(UnfitFileError, match="is empty, and"):
        opened(path)
    assert beside(path).read_bytes() == log[: HEADER + 10]


def test_a_new_file_has_its_tables_before_it_has_a_log(tmp_path):
    file = opened(tmp_path / "running")
    shutil.copy(file.path, tmp_path / "file.sqlite3")
    assert beside(file.path).stat().st_size == 0
    opened(tmp_path / "file.sqlite3").close()
    file.close()


def test_the_other_order_of_bytes_is_read_too(tmp_path):
    """A log from a machine of the other kind; SQLite reads both."""
    path = crashed(tmp_path)
    log = bytearray(beside(path).read_bytes())
    log[0:4] = struct.pack(">I", struct.unpack_from(">I", log)[0] ^ 1)
    order = ">" if log[3] & 1 else "<"

    def summed(data, first, second):
        for even, odd in struct.iter_unpack(f"{order}2I", data):
            first = (first + even + second) & 0xFFFFFFFF
            second = (second + odd + first) & 0xFFFFFFFF
        return first, second

    sums = summed(log[:24], 0, 0)
    log[24:32] = struct.pack(">2I", *sums)
    for at in range(HEADER, len(log), FRAME):
        sums = summed(log[at + 24 : at + FRAME], *summed(log[at : at + 8], *sums))
        log[at + 16 : at + 24] = struct.pack(">2I", *sums)
    beside(path).write_bytes(log)
    assert found(path) == [*range(6)]


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    path = crashed(tmp_path_factory.mktemp("killed"), transactions=8)
    return path.read_bytes(), beside(path).read_bytes()


@settings(max_examples=100, deadline=None)
@given(
    offset=st.integers(0, 1 << 20),
    size=st.sampled_from([1, 2, 64, 4_096, 9_000]),
    kind=st.sampled_from(["random", "zero", "ones"]),
    seed=st.integers(0, 1 << 32),
)
def test_random_damage_in_the_log_is_refused_or_costs_the_end_of_it_alone(
    killed, tmp_path_factory, offset, size, kind, seed
):
    path = tmp_path_factory.mktemp("damaged") / "file.sqlite3"
    data, log = killed[0], bytearray(killed[1])
    offset %= len(log)
    size = min(size, len(log) - offset)
    filling = {"random": random.Random(seed).randbytes(size), "zero": bytes(size), "ones": b"\xff" * size}[kind]
    log[offset : offset + size] = filling
    path.write_bytes(data)
    beside(path).write_bytes(log)
    left, refusal = [], ""
    try:
        left = found(path)
    except UnfitFileError as error:
        refusal = str(error)
    if refusal:
        assert "move it away" in refusal
        assert (path.read_bytes(), beside(path).read_bytes()) == (data, log)
    else:
        first_hit = max(0, (offset - HEADER) // FRAME)
        assert left == [*range(len(left))]
        assert len(left) == 8 or len(left) >= first_hit >= 6 - size // FRAME
