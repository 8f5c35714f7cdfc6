"""A SQLite file with one owner: its creation, and the files that are refused."""

import os
import random
import sqlite3
import stat

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iot_northbound.owned_sqlite import OwnedSqlite, Schema, UnfitFileError

SCHEMA = Schema("a test's file", 1, "CREATE TABLE things (name TEXT NOT NULL);")


def read(connection):
    for (name,) in connection.execute("SELECT name FROM things"):
        if type(name) is not str:
            raise ValueError("a name is not text")


def opened(path):
    return OwnedSqlite(path, SCHEMA, read)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "file.sqlite3"


def filled(path, rows=200):
    file = opened(path)
    with file.transaction() as db:
        db.executemany("INSERT INTO things VALUES (?)", [(f"{number} {'x' * 100}",) for number in range(rows)])
    return file


@pytest.mark.parametrize("mask", [0, 0o022, 0o777])
def test_no_other_user_may_read_any_of_its_files_with_any_umask(path, mask):
    before = os.umask(mask)
    try:
        file = filled(path)
    finally:
        os.umask(before)
    found = {each.name: stat.S_IMODE(each.stat().st_mode) & 0o077 for each in path.parent.iterdir()}
    assert set(found.values()) == {0}
    assert len(found) == 4
    file.close()


def test_it_is_private_before_anything_is_in_it(path, monkeypatch):
    seen = []
    monkeypatch.setattr(
        sqlite3, "connect", lambda *_, **__: seen.append(stat.S_IMODE(path.stat().st_mode)) or pytest.fail("enough")
    )
    with pytest.raises(pytest.fail.Exception):
        opened(path)
    assert seen == [0o600]


def test_a_file_that_others_may_read_is_made_private(path):
    filled(path).close()
    path.chmod(0o644)
    file = opened(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    file.close()


def other_program(path):
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE customers (name)")
        db.execute("PRAGMA user_version = 1")
    db.close()


def later_version(path):
    opened(path).close()
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()


def other_columns(path):
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE things (name, price)")
        db.execute("PRAGMA user_version = 1")
    db.close()


def truncated(path):
    filled(path).close()
    os.truncate(path, 5_000)


def zeroed_page(path):
    filled(path).close()
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(bytes(4096))


def zeroed_header(path):
    filled(path).close()
    with path.open("r+b") as file:
        file.write(bytes(100))


def no_utf_8(path):
    filled(path).close()
    with sqlite3.connect(path) as db:
        db.execute("INSERT INTO things VALUES (CAST(x'6b6579ff' AS TEXT))")
    db.close()


def wrong_type(path):
    filled(path).close()
    with sqlite3.connect(path) as db:
        db.execute("INSERT INTO things VALUES (x'00')")
    db.close()


def wrong_schema(path):
    filled(path).close()
    path.write_bytes(path.read_bytes().replace(b"CREATE TABLE", b"CREATE TAB\xff\xfe"))


def another_journal(path):
    filled(path).close()
    with path.open("r+b") as file:
        file.seek(18)
        file.write(b"\x09\x09")


DAMAGE = [truncated, zeroed_page, zeroed_header, no_utf_8, wrong_type, wrong_schema, another_journal]


@pytest.mark.parametrize("made_by", [other_program, later_version, other_columns, *DAMAGE])
def test_a_file_that_does_not_fit_is_refused_with_advice_and_left_as_it_is(path, made_by):
    made_by(path)
    before = path.read_bytes()
    with pytest.raises(UnfitFileError, match="move it away") as refused:
        opened(path)
    assert path.read_bytes() == before
    assert "key" not in str(refused.value)


def test_the_log_of_a_file_that_does_not_fit_is_left_too(path, tmp_path):
    crashed = [tmp_path / "crashed", tmp_path / "crashed-wal"]
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("CREATE TABLE customers (name)")
        db.commit()
        crashed[0].write_bytes(path.read_bytes())
        crashed[1].write_bytes(path.with_name("file.sqlite3-wal").read_bytes())
    db.close()
    before = [each.read_bytes() for each in crashed]
    with pytest.raises(UnfitFileError, match="another program"):
        opened(crashed[0])
    assert [each.read_bytes() for each in crashed] == before


def test_the_log_of_a_lost_file_is_not_thrown_away(path):
    log = path.with_name("file.sqlite3-wal")
    log.write_bytes(b"messages")
    for make in (lambda: None, path.touch):
        make()
        with pytest.raises(UnfitFileError, match=r"move file\.sqlite3-wal away"):
            opened(path)
        assert log.read_bytes() == b"messages"


def a_folder(path):
    path.mkdir()


def a_pipe(path):
    os.mkfifo(path)


def a_loop(path):
    path.symlink_to(path)


def a_folder_for_a_lock(path):
    path.with_name("file.sqlite3-owner").mkdir()


def a_link_for_a_lock(path):
    path.with_name("file.sqlite3-owner").symlink_to("elsewhere")


@pytest.mark.parametrize("make", [a_folder, a_pipe, a_loop, a_folder_for_a_lock, a_link_for_a_lock])
def test_a_path_that_is_not_a_file_is_refused(path, make):
    make(path)
    with pytest.raises(UnfitFileError):
        opened(path)
    assert not path.with_name("elsewhere").exists()


def test_a_missing_folder_and_an_impossible_name_are_reported(tmp_path):
    for wrong in (tmp_path / "nowhere" / "file", tmp_path / "\0", tmp_path / ("x" * 300)):
        with pytest.raises(UnfitFileError):
            opened(wrong)


@pytest.mark.parametrize("name", ["a?mode=memory", "100%25", "a#b", "ü 中", "file:x", ":memory:", "\udcff"])
def test_any_name_is_a_files_name(tmp_path, name):
    file = filled(tmp_path / name)
    assert (tmp_path / name).stat().st_size
    file.close()


def test_a_change_that_a_crash_cut_short_is_undone(path, tmp_path):
    """With a journal of the old kind, which SQLite uses while a new file is created."""
    with sqlite3.connect(path, isolation_level=None) as db:
        db.execute("PRAGMA cache_size = 1")
        db.execute("PRAGMA journal_mode = DELETE")
        db.execute("CREATE TABLE filler (a)")
        db.execute("DROP TABLE filler")
        db.execute("BEGIN")
        db.execute("CREATE TABLE filler (a)")
        db.executemany("INSERT INTO filler VALUES (?)", [("x" * 3_000,)] * 50)
        copy = tmp_path / "crashed"
        copy.write_bytes(path.read_bytes())
        copy.with_name("crashed-journal").write_bytes(path.with_name("file.sqlite3-journal").read_bytes())
        db.execute("ROLLBACK")
    db.close()
    filled(copy).close()


@pytest.fixture(scope="module")
def healthy(tmp_path_factory):
    path = tmp_path_factory.mktemp("healthy") / "file.sqlite3"
    filled(path).close()
    return path.read_bytes()


@settings(max_examples=60, deadline=None)
@given(offset=st.integers(0, 30_000), size=st.integers(1, 3_000), seed=st.integers(0, 1 << 32))
def test_random_damage_is_refused_or_read_and_never_raises_anything_else(healthy, tmp_path_factory, offset, size, seed):
    path = tmp_path_factory.mktemp("damaged") / "file.sqlite3"
    data = bytearray(healthy)
    offset %= len(data)
    size = min(size, len(data) - offset)
    data[offset : offset + size] = random.Random(seed).randbytes(size)
    path.write_bytes(data)
    refusal = ""
    try:
        opened(path).close()
    except UnfitFileError as error:
        refusal = str(error)
    assert not refusal or ("move it away" in refusal and path.read_bytes() == data)
