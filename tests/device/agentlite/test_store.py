from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iot_northbound.device.agentlite import AlgType, HwErr, StoreError
from iot_northbound.device.agentlite.sealing import DamagedError, seal, unseal
from iot_northbound.device.agentlite.store import KEY, SEALED, Store, Stored

SECRET = "3f7a-not-a-real-secret"
STORED = Stored("device-1", "app-1", SECRET, "iocm.example.com", 8943, "mqtt.example.com", 8883)
EVERY = pytest.mark.parametrize("alg_type", list(AlgType))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(tmp_path)
    yield made
    made.close()


@EVERY
def test_what_is_stored_comes_back(store: Store, alg_type: AlgType) -> None:
    assert store.load() is None
    store.save(STORED, alg_type)
    assert store.load() == STORED


def test_what_one_type_has_encrypted_another_type_replaces(store: Store) -> None:
    for alg_type in (*AlgType, AlgType.AES_256_CBC):
        store.save(STORED, alg_type)
        assert store.load() == STORED


@EVERY
def test_no_file_shows_a_part_of_the_credentials_and_only_the_owner_can_read_them(
    store: Store, tmp_path: Path, alg_type: AlgType
) -> None:
    old = os.umask(0)
    try:
        store.save(STORED, alg_type)
    finally:
        os.umask(old)
    for name in (SEALED, KEY):
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o600
        content = (tmp_path / name).read_bytes()
        assert SECRET.encode() not in content
        assert b"device-1" not in content
    assert SECRET not in repr(STORED)


@EVERY
def test_a_changed_bit_anywhere_is_a_damaged_file_and_the_error_tells_no_secret(
    store: Store, tmp_path: Path, alg_type: AlgType
) -> None:
    store.save(STORED, alg_type)
    whole = (tmp_path / SEALED).read_bytes()
    for place in range(len(whole)):
        changed = bytearray(whole)
        changed[place] ^= 1
        (tmp_path / SEALED).write_bytes(changed)
        with pytest.raises(StoreError, match=r"damaged|version") as failure:
            store.load()
        assert failure.value.code is HwErr.DECODE
        assert SECRET not in str(failure.value)
    (tmp_path / SEALED).write_bytes(whole)
    assert store.load() == STORED


@pytest.mark.parametrize(
    "content", [b"", b"\n", b"1 2\n", b"1\n", b"1 7\nxxxx", b"\xff 2\n" + bytes(64), b"9 2\n" + bytes(64)]
)
def test_a_file_of_other_content_is_damaged(store: Store, tmp_path: Path, content: bytes) -> None:
    store.save(STORED, AlgType.AES_256_GCM)
    (tmp_path / SEALED).write_bytes(content)
    with pytest.raises(StoreError, match="bind the device again"):
        store.load()


@pytest.mark.parametrize("key", [b"", bytes(31), bytes(32)])
def test_another_key_does_not_open_the_file(store: Store, tmp_path: Path, key: bytes) -> None:
    store.save(STORED, AlgType.AES_128_GCM)
    (tmp_path / KEY).write_bytes(key)
    with pytest.raises(StoreError, match="not its key"):
        store.load()
    store.save(STORED, AlgType.AES_128_GCM)
    assert store.load() == STORED


def test_a_missing_key_has_an_error_of_its_own(store: Store, tmp_path: Path) -> None:
    store.save(STORED, AlgType.AES_256_GCM)
    (tmp_path / KEY).unlink()
    with pytest.raises(StoreError, match="is missing") as failure:
        store.load()
    assert failure.value.code is HwErr.KEY


def test_deleting_leaves_nothing_and_can_be_repeated(store: Store, tmp_path: Path) -> None:
    store.save(STORED, AlgType.AES_256_GCM)
    store.delete()
    store.delete()
    assert store.load() is None
    assert not (tmp_path / KEY).exists()


def test_a_folder_belongs_to_one_store_at_a_time(store: Store, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="Each agent needs a folder of its own"):
        Store(tmp_path)
    store.close()
    Store(tmp_path).close()


def test_a_work_path_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="create it") as failure:
        Store(tmp_path / "nowhere")
    assert failure.value.code is HwErr.FILEOPEN


def test_a_folder_in_place_of_a_file_is_an_error_that_names_it(store: Store, tmp_path: Path) -> None:
    (tmp_path / SEALED).mkdir()
    with pytest.raises(StoreError, match=SEALED):
        store.load()
    with pytest.raises(StoreError, match="cannot be stored"):
        store.save(STORED, AlgType.AES_256_GCM)


@EVERY
@given(text=st.binary(max_size=200), header=st.binary(max_size=40), cut=st.integers(min_value=1, max_value=40))
def test_sealed_bytes_open_with_their_key_and_header_only(
    alg_type: AlgType, text: bytes, header: bytes, cut: int
) -> None:
    key = bytes(range(32))
    sealed = seal(alg_type, key, text, header)
    assert unseal(alg_type, key, sealed, header) == text
    for wrong in ((bytes(32), sealed, header), (key, sealed, header + b"x"), (key, sealed[:-cut], header)):
        with pytest.raises(DamagedError):
            unseal(alg_type, *wrong)


KILLED = textwrap.dedent(
    """
    # Forks once for each line of `save`, kills the child at that line, and prints what it has left.
    import os, signal, sys
    from pathlib import Path
    from iot_northbound.device.agentlite import AlgType
    from iot_northbound.device.agentlite import store as module

    folder, before = Path(sys.argv[1]), sys.argv[2] == "full"
    os.fsync = lambda handle: None  # a kill, and no power failure
    old = module.Stored("old", "app", "old-secret", "h", 1, "m", 2)
    new = module.Stored("new", "app", "new-secret", "h", 1, "m", 2)

    def child(steps):
        def trace(frame, event, argument):
            nonlocal steps
            if frame.f_code.co_filename != module.__file__:
                return None
            if event == "line":
                steps -= 1
                if steps < 0:
                    os.kill(os.getpid(), signal.SIGKILL)
            return trace

        store = module.Store(folder)
        sys.settrace(trace)
        store.save(new, AlgType.AES_256_GCM)
        os._exit(0)

    for steps in range(10_000):
        store = module.Store(folder)
        store.delete()
        if before:
            store.save(old, AlgType.AES_256_CBC)
        store.close()
        pid = os.fork()
        if not pid:
            child(steps)
        killed = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        store = module.Store(folder)
        print(killed, {old: "old", new: "new", None: "none"}[store.load()])
        store.save(old, AlgType.AES_128_GCM)
        assert store.load() == old
        store.close()
        if not killed:
            break
    """
)


@pytest.mark.parametrize("before", ["full", "empty"])
def test_a_process_that_is_killed_at_any_line_leaves_the_old_or_the_new_credentials(
    tmp_path: Path, before: str
) -> None:
    program = [sys.executable, "-c", KILLED, str(tmp_path), before]
    done = subprocess.run(program, capture_output=True, text=True, timeout=100, check=False)
    assert done.stderr == ""
    *killed, last = done.stdout.splitlines()
    assert last == "0 new"
    assert len(killed) > 20
    earlier = "old" if before == "full" else "none"
    outcomes = [each.removeprefix(f"{-signal.SIGKILL} ") for each in killed]
    assert set(outcomes) == {earlier, "new"}
    assert outcomes == sorted(outcomes, key=lambda each: each == "new")
