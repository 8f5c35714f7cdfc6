"""The locks of a process, as the kernel reports them, and ways to open a SQLite file from another process."""

import subprocess
import sys
from pathlib import Path

import pytest

needs_proc_locks = pytest.mark.skipif(not Path("/proc/locks").exists(), reason="the kernel reports no locks")


def locks(path: Path, process: int) -> list[str]:
    """Return type and mode of each lock that a process holds on a file, such as ``POSIX READ``."""
    number = str(path.stat().st_ino)
    found = []
    for line in Path("/proc/locks").read_text().splitlines():
        _, kind, _, mode, owner, file, *_ = line.replace("->", "").split()
        if owner == str(process) and file.rpartition(":")[2] == number:
            found.append(f"{kind} {mode}")
    return found


LOOKS = {
    "a query": "print(db.execute(QUERY).fetchone())",
    "a read-only query": "db = sqlite3.connect(f'file:{sys.argv[1]}?mode=ro', uri=True); db.execute(QUERY).fetchone()",
    "an online backup": "db.backup(sqlite3.connect(sys.argv[1] + '.backup'))",
    "a dump": "list(db.iterdump())",
    "a checkpoint": "db.execute('PRAGMA wal_checkpoint(TRUNCATE)').fetchall()",
    "a change of the journal": "db.execute('PRAGMA journal_mode = DELETE').fetchall()",
    "a copy of every file": "import glob; [open(each, 'rb').read() for each in glob.glob(sys.argv[1] + '*')]",
    "a query of the lock": "sqlite3.connect(sys.argv[1] + '-owner').execute('PRAGMA user_version').fetchone()",
}
"""What people and programs do from another process to a file in use; by name."""

_LOOK = """
import sqlite3, sys
QUERY = "SELECT count(*) FROM sqlite_master"
db = sqlite3.connect(sys.argv[1])
try:
    {look}
except sqlite3.Error as error:
    print(error)
db.close()
"""


def look(path: Path, how: str) -> None:
    """Open a file from another process in one of these ways, and wait for the end of that process."""
    subprocess.run([sys.executable, "-c", _LOOK.format(look=LOOKS[how]), str(path)], check=True, timeout=60)
