"""Between the bytes of a device and the messages of the platform: JSON, or the codec of a product model.

A model with a codec listens on the `binary` topics only, and one without on `json` (8.2.1).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, Protocol

from iot_northbound.emulator.json_bodies import TooDeepError, encode, parse

TEXT, BINARY = "json", "binary"
"""The names of the codecs in topics."""


class CodecError(ValueError):
    """Raised when a message cannot be read or written; the text says why."""


class Codec(Protocol):
    """Translates between a device's bytes and messages as JSON objects.

    A codec may have a method `acknowledge(message) -> bytes | None`, too: what it returns for a device's message is
    published to the device's command topic (the `cloudRsp` that was seen in the field).
    """

    def decode(self, payload: bytes) -> dict[str, Any]:
        """Return a device's message: a deviceReq or deviceRsp."""
        ...

    def encode(self, message: dict[str, Any]) -> bytes:
        """Return the bytes of a command: a cloudReq."""
        ...


class JsonCodec:
    """The codec of models that have none: the message itself, as JSON."""

    def decode(self, payload: bytes) -> dict[str, Any]:
        """Return a device's message.

        Raises:
            CodecError: It is not a JSON object.
            TooDeepError: It nests too deep.
        """
        try:
            message = parse(payload)
        except TooDeepError:
            raise
        except ValueError:
            raise CodecError("it is not JSON") from None
        if not isinstance(message, dict):
            raise CodecError("it is not JSON" if not payload else "it is not a JSON object")
        return message

    def encode(self, message: dict[str, Any]) -> bytes:
        """Return the JSON text of a command."""
        return encode(message)


JSON = JsonCodec()


def decoded(codec: Codec, payload: bytes) -> dict[str, Any]:
    """Return a device's message.

    Raises:
        CodecError: The codec failed, or the message is not an object.
    """
    message = _guarded(codec.decode, payload)
    if not isinstance(message, dict):
        raise CodecError(f"its codec returned {type(message).__name__} and not a dict")
    return message


def encoded(codec: Codec, message: dict[str, Any]) -> bytes:
    """Return the bytes of a command.

    Raises:
        CodecError: The codec failed, or what it returned is not bytes.
    """
    payload = _guarded(codec.encode, message)
    if not isinstance(payload, bytes):
        raise CodecError(f"its codec returned {type(payload).__name__} and not bytes")
    return payload


def acknowledgement(codec: Codec, message: dict[str, Any]) -> bytes | None:
    """Return what a codec answers to a device's message, or None.

    Raises:
        CodecError: The codec failed, or what it returned is not bytes.
    """
    make = getattr(codec, "acknowledge", None)
    payload = None if make is None else _guarded(make, message)
    if payload is not None and not isinstance(payload, bytes):
        raise CodecError(f"its codec returned {type(payload).__name__} and not bytes")
    return payload


def _guarded(act: Callable[[Any], Any], value: Any) -> Any:
    try:
        return act(value)
    except (CodecError, TooDeepError):
        raise
    except Exception as error:  # a codec is code of the user's
        raise CodecError(f"its codec failed: {type(error).__name__}: {error}") from error


def of_model(codecs: Mapping[str, Codec], product_id: str | None) -> tuple[str, Codec]:
    """Return the name of a model's codec as topics have it, and the codec."""
    codec = codecs.get(product_id or "")
    return (TEXT, JSON) if codec is None else (BINARY, codec)


def load(text: str) -> tuple[str, Codec]:
    """Return the productId and the codec that `product-id=package.module:Class` names.

    Raises:
        ValueError: There is no such class, or it is no codec.
    """
    product_id, _, place = text.partition("=")
    module, _, name = place.partition(":")
    if not (product_id and module and name):
        raise ValueError(f"{text!r} does not name a codec: give product-id=package.module:Class")
    try:
        codec = getattr(import_module(module), name)()
    except Exception as error:  # whatever the module does when it is imported
        raise ValueError(f"the codec {place!r} cannot be loaded: {type(error).__name__}: {error}") from error
    missing = [each for each in ("decode", "encode") if not callable(getattr(codec, each, None))]
    if missing:
        raise ValueError(f"the codec {place!r} has no method {' and no method '.join(missing)}")
    return product_id, codec
