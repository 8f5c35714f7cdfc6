"""attrs classes <-> JSON: only this module, `readers` and `lenient` work with the names of JSON.

Reading is lenient: values that fit are read fast (`readers`), others are read as far as possible (`lenient`). Writing
checks the request's rules again, because lists can change after a DTO was made. It leaves out nulls and empty optional
lists.
"""

import json
import typing
from collections.abc import Mapping
from copy import deepcopy
from datetime import datetime
from typing import Any, TypeVar
from urllib.parse import quote

import attrs

from iot_northbound.core.fields import FieldSpec, bare_type, recheck, shown, specs
from iot_northbound.core.lenient import ShapeError as ShapeError
from iot_northbound.core.lenient import lost_part as lost_part
from iot_northbound.core.lenient import read_leniently, said
from iot_northbound.core.lenient import sent_items as sent_items
from iot_northbound.core.readers import Mismatch, converter
from iot_northbound.core.received import Received
from iot_northbound.core.suggest import did_you_mean
from iot_northbound.core.times import format_time
from iot_northbound.errors import InvalidArgumentError

T = TypeVar("T")


def structure(value: Any, cls: type[T]) -> T:
    """Return a parsed JSON value as an instance of `cls`.

    Raises:
        ShapeError: it is not an object, or does not have a field that the class must have.
    """
    try:
        return converter.structure(value, cls)
    except Mismatch:
        pass
    return read_leniently(value, cls)


def to_json(dto: Any) -> Any:
    """Return a request DTO as data for JSON: with the names of JSON, and without nulls and empty optional lists.

    Free-form JSON (the reference's ObjectNode) is not changed, and keeps its nulls.

    Raises:
        InvalidArgumentError: a value broke its rule after the DTO was made (1007).
    """
    if isinstance(dto, Mapping):
        return {key: value for key, value in dto.items() if value is not None}
    if not attrs.has(type(dto)):
        raise InvalidArgumentError.of("the request", type(dto).__name__, "it must be a request DTO")
    recheck(dto)
    body = {}
    for spec in specs(type(dto)).values():
        value = getattr(dto, spec.name)
        if value is None or (not spec.mandatory and isinstance(value, list | tuple) and not value and not _free(spec)):
            continue
        body[spec.wire] = value if _free(spec) else _dump(value)
    return body


def to_data(dto: Any) -> dict[str, Any]:
    """Return any DTO as data for JSON: every field that has a value, and what an answer had beyond them."""
    data = {}
    for spec in specs(type(dto)).values():
        value = getattr(dto, spec.name)
        if value is not None:
            data[spec.wire] = _data_of(value)
    for name, raw in dto.unknown_fields.items() if isinstance(dto, Received) else ():
        # A list without the items that could not be read gives way to the list that came.
        if isinstance(data.get(name), list | None):
            data[name] = deepcopy(raw)
    return data


def _data_of(value: Any) -> Any:
    if attrs.has(type(value)):
        return to_data(value)
    if isinstance(value, list | tuple):
        return [_data_of(each) for each in value]
    if isinstance(value, datetime):
        return format_time(value)
    return str.__str__(value) if isinstance(value, str) else deepcopy(value)


def from_data(cls: type[T], source: Any) -> T:
    """Return a DTO from a JSON object: as text, as bytes, or parsed.

    Raises:
        InvalidArgumentError: it is not a JSON object, or does not fit the class (1007).
    """
    data = _json_object(cls.__name__, source)
    if not issubclass(cls, Received):
        return _made(cls, data, cls.__name__)
    try:
        return structure(data, cls)
    except ShapeError as error:
        raise InvalidArgumentError.of(cls.__name__, "the JSON", str(error)) from None


def _json_object(name: str, source: Any) -> dict[str, Any]:
    """Return a source as a JSON object of its own. Values are not shown, because they may be secret."""
    try:
        if not isinstance(source, str | bytes | bytearray):
            # What is parsed already is written once more, so that only what JSON has comes further.
            source = json.dumps(dict(source) if isinstance(source, Mapping) else source, allow_nan=False)
        data = json.loads(source, parse_constant=_refuse_constant)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidArgumentError.of(name, "the JSON", f"it cannot be read ({error})") from None
    if not isinstance(data, dict):
        raise InvalidArgumentError.of(name, "the JSON", f"it must be an object, not {said(data)}")
    return data


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _made(cls: type[T], data: dict[str, Any], path: str) -> T:
    """Return a request DTO as its constructor makes it, from names of JSON."""
    known = {name: spec for spec in specs(cls).values() for name in (spec.wire, *spec.also)}
    for name in data:
        if name not in known:
            hint = did_you_mean(name, list(known)) or f"; it has {', '.join(known)}"
            raise InvalidArgumentError.of(path, shown(name), f"it has no such field{hint}")
    return cls(**{known[name].name: _part(known[name].type, raw, f"{path}.{name}") for name, raw in data.items()})


def _part(kind: Any, raw: Any, path: str) -> Any:
    if isinstance(kind, type) and attrs.has(kind) and isinstance(raw, dict):
        return _made(kind, raw, path)
    if typing.get_origin(kind) is list and isinstance(raw, list):
        item = bare_type(typing.get_args(kind)[0])
        return [_part(item, each, f"{path}[{index}]") for index, each in enumerate(raw)]
    return raw


def secrets_in(dto: Any) -> tuple[str, ...]:
    """Return the values of the secret fields of a request DTO and its nested DTOs."""
    if isinstance(dto, list | tuple):
        return tuple(secret for each in dto for secret in secrets_in(each))
    if not attrs.has(type(dto)):
        return ()
    found: list[str] = []
    for spec in specs(type(dto)).values():
        value = getattr(dto, spec.name)
        if spec.secret and isinstance(value, str):
            found.append(value)
        else:
            found += secrets_in(value)
    return tuple(found)


def _free(spec: FieldSpec) -> bool:
    return spec.type is Any or typing.get_origin(spec.type) is dict


def _dump(value: Any) -> Any:
    if isinstance(value, datetime):
        return format_time(value)
    if isinstance(value, list | tuple):
        return [_dump(each) for each in value]
    if attrs.has(type(value)):
        return to_json(value)
    return value


def encode_body(dto: Any) -> bytes:
    """Return a request DTO, or a mapping with the names of JSON, as UTF-8 JSON; bytes are a body that is ready.

    Raises:
        InvalidArgumentError: it contains something that JSON does not allow (1007).
    """
    if isinstance(dto, bytes):
        return dto
    try:
        text = json.dumps(to_json(dto), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        return text.encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidArgumentError.of(
            type(dto).__name__, "the request body", f"JSON does not allow it ({error})"
        ) from None


def encode_pairs(dto: Any) -> str:
    """Return a query or a form as percent-encoded pairs without nulls; empty if there are no values."""
    pairs = []
    for name, value in to_json(dto).items():
        if isinstance(value, bool):
            text = "true" if value else "false"
        else:
            text = format_time(value) if isinstance(value, datetime) else str(value)
        try:
            pairs.append(f"{name}={quote(text, safe='')}")
        except UnicodeEncodeError:
            raise InvalidArgumentError.of(name, "***", "it is not valid Unicode text") from None
    return "&".join(pairs)
