"""The register of calls: every documented call, with its method, its endpoint and its types.

It is derived from the services: a method that passes an `Endpoint` to `_call` makes that call.
"""

import inspect
from functools import cache
from typing import Any, NamedTuple

from iot_northbound import services
from iot_northbound.core.endpoint import Endpoint
from iot_northbound.services.base import Service


class Call(NamedTuple):
    """A call, and the method that makes it."""

    service: type[Service]
    method: str
    endpoint: Endpoint[Any]

    @property
    def section(self) -> str:
        """The section of the reference."""
        return self.endpoint.section

    @property
    def request(self) -> type | None:
        """The request DTO; None if the call takes only ids and single values."""
        return self.endpoint.takes

    @property
    def result(self) -> type:
        """The DTO that the method returns; `type(None)` if it returns nothing."""
        return self.endpoint.result

    @property
    def name(self) -> str:
        """The method as it is called on a client: `device_management.delete_direct_device`."""
        return f"{self.service.__module__.rpartition('.')[2]}.{self.method}"


@cache
def calls() -> tuple[Call, ...]:
    """Return every call, in the order of the sections."""
    found = [
        Call(service, name, endpoint)
        for service in (getattr(services, each) for each in services.__all__)
        for name, method in vars(service).items()
        if inspect.isfunction(method) and "_call" in method.__code__.co_names
        for endpoint in map(method.__globals__.get, method.__code__.co_names)
        if isinstance(endpoint, Endpoint)
    ]
    return tuple(sorted(found, key=lambda call: [int(number) for number in call.section.split(".")]))
