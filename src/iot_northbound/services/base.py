"""The base of the services."""

from collections.abc import Mapping
from typing import Any, Protocol, TypeVar

from iot_northbound.core.clock import Clock
from iot_northbound.core.endpoint import Endpoint
from iot_northbound.core.fields import snake
from iot_northbound.errors import InvalidArgumentError

T = TypeVar("T")


class Caller(Protocol):
    """What a service needs from a client: one typed call, and a clock for waiting."""

    @property
    def clock(self) -> Clock:
        """The clock of the waiters."""
        ...

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


class TokenOwner(Caller, Protocol):
    """What `Authentication` also needs: a client with credentials, a token and a timer."""

    def credentials(self) -> tuple[str, str]:
        """Return the application's id and secret."""
        ...

    def token_granted(
        self, access_token: str, refresh_token: str | None, expires_in: int | None, started: float
    ) -> None:
        """Use a new token, because the earlier one has ended. `started` is when it was asked for."""
        ...

    def start_timer(self) -> None:
        """Start renewing the token in the background."""
        ...

    def stop_timer(self) -> None:
        """Stop renewing the token."""
        ...


class Service:
    """A group of calls that are made through one client."""

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
        if endpoint.takes is not None:
            request = query if endpoint.method in ("GET", "DELETE") else body
            if not isinstance(request, endpoint.takes):
                raise InvalidArgumentError.of(
                    "the request", f"a {type(request).__name__}", f"it must be a {endpoint.takes.__name__}"
                )
        if isinstance(query, Mapping):
            for name, value in query.items():
                if value is not None and not isinstance(value, str | bool):
                    raise InvalidArgumentError.of(snake(name), f"a {type(value).__name__}", "it must be text")
        return self._client.call(endpoint, ids, query=query, body=body, access_token=access_token)
