"""The credentials that a bind gave, encrypted in the work path: a killed process leaves the old or the new ones.

Two files: `agentlite.sealed` has the credentials, and `agentlite.key` the key, both for their owner only. Whoever can
read both can read the credentials: this keeps a secret out of backups and logs of one file, not from the machine's
administrator.
"""

import contextlib
import json
import os
from pathlib import Path
from typing import Any

import attrs

from iot_northbound._hide import hide
from iot_northbound.device.agentlite.enums import AlgType
from iot_northbound.device.agentlite.errors import HwErr, StoreError
from iot_northbound.device.agentlite.sealing import KEY_BYTES, DamagedError, seal, unseal
from iot_northbound.owned_sqlite_claim import Claim, FileInUseError, UnfitFileError

SEALED, KEY, OWNED = "agentlite.sealed", "agentlite.key", "agentlite"
_VERSION = 1
_BIND_AGAIN = "Delete both files and bind the device again."


@attrs.frozen
class Stored:
    """What a bind gave, and where it came from.

    Attributes:
        device_id: the device's id.
        app_id: the application's id.
        secret: the device's secret; no repr shows it.
        iocm_addr: the host for binding and child devices.
        iocm_port: its port.
        mqtt_addr: the host for login and data.
        mqtt_port: its port.
    """

    device_id: str
    app_id: str
    secret: str = attrs.field(repr=hide)
    iocm_addr: str
    iocm_port: int
    mqtt_addr: str
    mqtt_port: int


_TYPES = {field.name: field.type for field in attrs.fields(Stored)}


class Store:
    """The two files of one work path. One agent at a time may have it."""

    def __init__(self, work_path: Path) -> None:
        if not work_path.is_dir():
            raise StoreError(HwErr.FILEOPEN, f"work_path = {str(work_path)!r}: it is not an existing folder: create it")
        self._folder = work_path
        try:
            self._claim = Claim((work_path / OWNED).resolve())
        except (FileInUseError, UnfitFileError) as error:
            raise StoreError(
                HwErr.FILEOPEN, f"work_path = {str(work_path)!r}: {error}. Each agent needs a folder of its own"
            ) from None
        except OSError as error:
            raise StoreError(
                HwErr.FILEOPEN, f"work_path = {str(work_path)!r}: it cannot be used: {error.strerror}"
            ) from None

    def load(self) -> Stored | None:
        """Return the stored credentials; None if there are none.

        Raises:
            StoreError: the files cannot be read (FILEOPEN), or are damaged (DECODE).
        """
        sealed = self._read(SEALED)
        if sealed is None:
            return None
        key = self._read(KEY)
        if key is None:
            raise StoreError(
                HwErr.KEY, f"{self._folder / KEY} is missing, and {SEALED} cannot be read without it. {_BIND_AGAIN}"
            )
        try:
            header, _, rest = sealed.partition(b"\n")
            version, alg_type = (int(each) for each in header.decode("ascii").split())
            if version != _VERSION:
                raise StoreError(
                    HwErr.DECODE,
                    f"{self._folder / SEALED} has version {version}, this release reads {_VERSION}. {_BIND_AGAIN}",
                )
            return _stored(json.loads(unseal(AlgType.of(alg_type), key, rest, header)))
        except (DamagedError, ValueError):
            raise StoreError(
                HwErr.DECODE, f"{self._folder / SEALED} is damaged, or {KEY} is not its key. {_BIND_AGAIN}"
            ) from None

    def save(self, stored: Stored, alg_type: AlgType) -> None:
        """Replace the stored credentials.

        Raises:
            StoreError: FILEOPEN; a file cannot be written.
        """
        try:
            key = self._read(KEY)
            if key is None or len(key) != KEY_BYTES:
                key = os.urandom(KEY_BYTES)
                self._replace(KEY, key)
            header = f"{_VERSION} {int(alg_type)}".encode()
            text = json.dumps(attrs.asdict(stored)).encode()
            self._replace(SEALED, header + b"\n" + seal(alg_type, key, text, header))
        except OSError as error:
            raise StoreError(
                HwErr.FILEOPEN, f"the credentials cannot be stored in {self._folder}: {error.strerror}"
            ) from None

    def delete(self) -> None:
        """Delete the stored credentials; the key goes last, and first the file that needs it.

        Raises:
            StoreError: FILEOPEN; a file cannot be deleted.
        """
        try:
            for name in (SEALED, KEY):
                (self._folder / name).unlink(missing_ok=True)
            self._sync_folder()
        except OSError as error:
            raise StoreError(
                HwErr.FILEOPEN, f"the credentials in {self._folder} cannot be deleted: {error.strerror}"
            ) from None

    def close(self) -> None:
        """Leave the work path to others."""
        self._claim.release()

    def _read(self, name: str) -> bytes | None:
        try:
            return (self._folder / name).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreError(HwErr.FILEOPEN, f"{self._folder / name} cannot be read: {error.strerror}") from None

    def _replace(self, name: str, content: bytes) -> None:
        # One name for what is not finished: what a killed process leaves is overwritten by the next one.
        new = self._folder / f"{name}.new"
        with contextlib.suppress(FileNotFoundError):
            new.unlink()
        handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(new, self._folder / name)
        self._sync_folder()

    def _sync_folder(self) -> None:
        if os.name != "posix":
            return
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _stored(values: Any) -> Stored:
    if not isinstance(values, dict) or values.keys() != _TYPES.keys():
        raise ValueError("other keys than expected")
    if any(type(values[name]) is not kind for name, kind in _TYPES.items()):
        raise ValueError("other types than expected")
    return Stored(**values)
