"""Packages that only an extra of this package installs: one error for all of them, which says what to install."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

EXTRAS: Mapping[str, tuple[str, ...]] = {
    "emulator": ("uvicorn", "httptools", "sortedcontainers", "jinja2", "markupsafe"),
    "receiver": ("uvicorn", "httptools"),
    "device": ("paho",),
    "redis": ("redis",),
    "postgres": ("psycopg", "psycopg_pool"),
    "kafka": ("confluent_kafka",),
    "keyring": ("keyring",),
    "prometheus": ("prometheus_client",),
    "otel": ("opentelemetry",),
    "testing": ("responses", "uvicorn"),
}
"""The packages of each extra, by the name that is imported."""


class MissingExtraError(ModuleNotFoundError):
    """A package is not installed that an extra brings; the text says how to install it.

    Attributes:
        extra: the extra, for ``pip install 'iot-northbound[…]'``.
        name: the package that is missing.
    """

    def __init__(self, extra: str, name: str) -> None:
        super().__init__(f"{name} is not installed: pip install 'iot-northbound[{extra}]'", name=name)
        self.extra = extra

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.extra, self.name)


@contextlib.contextmanager
def needs_extra(extra: str) -> Iterator[None]:
    """Name the extra to install if the block imports one of its packages and it is missing.

    The outermost block decides: who lacks a package of the emulator needs all of them.

    Raises:
        MissingExtraError: a package of the extra is missing.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in EXTRAS[extra]:
            raise
        raise MissingExtraError(extra, package) from None
