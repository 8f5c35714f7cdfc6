"""Every endpoint constant of the services, for tests that go through all of them."""

import importlib
from typing import Any

from iot_northbound import services
from iot_northbound.core.endpoint import Endpoint


def _all() -> dict[str, Endpoint[Any]]:
    found: dict[str, Endpoint[Any]] = {}
    for name in services.__all__:
        module = importlib.import_module(getattr(services, name).__module__)
        for value in vars(module).values():
            if isinstance(value, Endpoint):
                found[value.section] = value
    return dict(sorted(found.items()))


ALL = _all()
"""Endpoints by the reference's section."""


def ids(endpoint: Endpoint[Any]) -> dict[str, str]:
    """Return an id for each place in the path."""
    return {place: f"{place}-1" for place in endpoint.places}
