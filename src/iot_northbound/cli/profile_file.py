"""Writes a profile: the file is only for its owner, keeps its other tables and comments, and is never half written."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import tomlkit
from tomlkit.exceptions import TOMLKitError

from iot_northbound._extras import MissingExtraError, needs_extra
from iot_northbound.core.textfiles import read_text
from iot_northbound.errors import InvalidArgumentError, SdkCode
from iot_northbound.profiles import KEYRING, SECTIONS

if TYPE_CHECKING:
    from iot_northbound.config import Settings


def has_table(file: Path, name: str) -> bool:
    """Return whether the file has this table.

    Raises:
        InvalidArgumentError: it cannot be read, or is not TOML (1007).
    """
    return name in _read(file)


def keyring_name() -> str:
    """Return what the keyring of the operating system is called; empty if there is none that can be used."""
    try:
        with needs_extra("keyring"):
            import keyring
    except MissingExtraError:
        return ""
    found = keyring.get_keyring()
    return str(found.name) if found.priority >= 1 else ""


def write(file: Path, name: str, settings: Settings, *, in_keyring: bool) -> None:
    """Write the client and TLS parts of a configuration into a table. Other keys of the table stay.

    Raises:
        InvalidArgumentError: the file is not TOML, or the keyring cannot be used (1007).
        OSError: the file cannot be written.
    """
    target = file.resolve()  # a link stays a link
    is_new = not target.parent.exists()
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        with _alone(target.parent):
            _write(file, target, name, settings, in_keyring=in_keyring)
    except BaseException:
        if is_new:
            with contextlib.suppress(OSError):  # it is not empty
                target.parent.rmdir()
        raise


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Let no other process change a file here that this one has read, until it is written. Windows has no such lock."""
    try:
        import fcntl
    except ImportError:
        yield
        return
    lock = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _write(file: Path, target: Path, name: str, settings: Settings, *, in_keyring: bool) -> None:
    document = _read(file)
    table = document.setdefault(name, tomlkit.table())
    for section, part in zip(SECTIONS[:2], settings[:2], strict=True):
        secrets = section.secrets()
        for key, kind in section.kinds().items():
            for each in (key, f"{key}_file", f"{key}_keyring"):
                table.pop(each, None)
            value = getattr(part, key, None)
            if value is None or value == attrs.fields_dict(section.cls)[key].default:
                continue
            if in_keyring and key in secrets:
                entry = f"{settings.client_info.application} {key}"
                _keep(entry, value)
                table[f"{key}_keyring"] = entry
            elif kind is Path:
                table[key] = str(Path(value).expanduser().absolute())
            else:
                table[key] = value
    _replace(target, tomlkit.dumps(document))


def _keep(entry: str, secret: str) -> None:
    with needs_extra("keyring"):
        import keyring
    try:
        keyring.set_password(KEYRING, entry, secret)
    except Exception as error:  # noqa: BLE001 - each keyring has errors of its own, whose texts may contain anything
        rule = f"the keyring cannot be used ({type(error).__name__}): unlock it, or give --store file"
        raise InvalidArgumentError(SdkCode.INVALID_ARGUMENT, rule) from None


def _read(file: Path) -> Any:
    try:
        return tomlkit.parse(read_text(file))
    except FileNotFoundError:
        return tomlkit.document()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise InvalidArgumentError(SdkCode.INVALID_ARGUMENT, f"{file} cannot be read: {reason}") from None
    except TOMLKitError as error:
        # The text of the error could show a line with a secret.
        line = getattr(error, "line", "?")
        raise InvalidArgumentError(SdkCode.INVALID_ARGUMENT, f"{file} is not valid TOML (line {line})") from None


def _replace(target: Path, text: str) -> None:
    try:
        content = text.encode()
    except UnicodeEncodeError:
        rule = "a name or a path has bytes that are not UTF-8, which a TOML file cannot have"
        raise InvalidArgumentError(SdkCode.INVALID_ARGUMENT, rule) from None
    number, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")  # only its owner can read it
    try:
        with open(number, "wb") as written:
            written.write(content)
            written.flush()
            os.fsync(number)
        os.replace(temporary, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
