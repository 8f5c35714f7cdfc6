"""Every endpoint, for tests that go through all of them."""

from typing import Any

from iot_northbound.core.endpoint import Endpoint
from iot_northbound.services.calls import calls

ALL = {call.section: call.endpoint for call in calls()}
"""Endpoints by the reference's section."""


def ids(endpoint: Endpoint[Any]) -> dict[str, str]:
    """Return an id for each of the path's places."""
    return {place: f"{place}-1" for place in endpoint.places}
