"""What the eight services share: a caller, and nothing else."""

from collections.abc import Mapping
from typing import Any, Protocol, TypeVar

from iot_northbound.core.endpoint import Endpoint

T = TypeVar("T")


class Caller(Protocol):
    """What a service needs of a client: one typed call."""

    def call(
        self,
        endpoint: Endpoint[T],
        ids: Mapping[str, str],
        *,
        query: Any = None,
        body: Any = None,
        access_token: str | None = None,
    ) -> T:
        """Return the endpoint's result for this request."""
        ...


class Service:
    """A group of calls made through one client."""

    def __init__(self, client: Caller) -> None:
        self._client = client

    def _call(
        self,
        endpoint: Endpoint[T],
        *,
        query: Any = None,
        body: Any = None,
        access_token: str | None = None,
        **ids: str,
    ) -> T:
        return self._client.call(endpoint, ids, query=query, body=body, access_token=access_token)
