"""Finds the transactions in a write-ahead log that SQLite would skip without an error.

When SQLite opens a file after a crash, it reads the log up to the first incomplete frame. It treats the rest as a
transaction that the crash interrupted. Damage looks the same to SQLite: if one byte is wrong, all transactions from
there on are lost, and the next checkpoint overwrites them. But there is a difference: with ``synchronous=FULL`` each
transaction is on the disk before the next one begins, so a crash can interrupt only the last one.

The format is part of SQLite's file format, section 4 (https://sqlite.org/fileformat2.html#walformat).
"""

from __future__ import annotations

import struct
from pathlib import Path

_HEADER = struct.Struct(">8I")
"""Magic number, version, page size, checkpoints, two salts, two sums."""
_FRAME = struct.Struct(">6I")
"""Page, pages of the file after a commit (else 0), two salts, two sums."""
_MAGIC, _VERSION = 0x377F0682, 3_007_000


def lost_in(log: Path) -> str | None:
    """Return the problem of a log if SQLite would not read all its committed transactions; None if it would."""
    try:
        with log.open("rb") as file:
            header = file.read(_HEADER.size)
            if not any(header) and not any(file.read()):
                return None  # empty, or space was reserved on the disk but never written
            magic, version, page_size, _, *salts_and_sums = _HEADER.unpack(header.ljust(_HEADER.size, b"\0"))
            salts, sums = salts_and_sums[:2], (salts_and_sums[2], salts_and_sums[3])
            order = ">" if magic & 1 else "<"
            whole = magic & ~1 == _MAGIC and version == _VERSION and _summed(order, header[:24], (0, 0)) == sums
            if not whole:
                return "its first bytes are not those of a log"
            read = lost = 0
            while len(frame := file.read(_FRAME.size + page_size)) == _FRAME.size + page_size:
                _, commits, salt, other_salt, *found = _FRAME.unpack_from(frame)
                if [salt, other_salt] != salts:
                    whole = False  # a frame of an earlier use of the log, unless it is damaged
                    continue
                if whole:
                    sums = _summed(order, frame[_FRAME.size :], _summed(order, frame[:8], sums))
                    whole = [*sums] == found
                if commits:
                    read, lost = (read + 1, lost) if whole else (read, lost + 1)
    except FileNotFoundError:
        return None
    if lost > (1 if read else 0):
        return f"{lost} of the transactions in it cannot be read"
    return None


def _summed(order: str, data: bytes, sums: tuple[int, int]) -> tuple[int, int]:
    """Return the running sums of a log, continued by some bytes."""
    first, second = sums
    words = struct.unpack(f"{order}{len(data) // 4}I", data)
    for even, odd in zip(words[::2], words[1::2], strict=True):
        first = (first + even + second) & 0xFFFFFFFF
        second = (second + odd + first) & 0xFFFFFFFF
    return first, second
