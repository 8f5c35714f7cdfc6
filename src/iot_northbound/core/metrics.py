"""What a client counts about its token and its limit."""

from typing import NamedTuple

from iot_northbound.core.budget import LimitStats
from iot_northbound.core.sharing import Sharing


class TokenMetrics(NamedTuple):
    """What a client counted about its token. All but `renewals` are 0 if the token is not shared."""

    renewals: int
    """Renewals by this client, including the first login."""
    renewals_by_others: int
    """Renewals by other processes that this client has seen."""
    generation: int
    """How many tokens the application has stored, as far as this client knows."""
    waits: int
    """How often a call waited for the renewal of another process."""
    lost_fences: int
    """Renewals whose lease had gone to another process before they ended, for example because this one was paused."""
    state_away_seconds: float
    """How long the shared state was away, in all outages together."""


class ClientMetrics(NamedTuple):
    """The value of `client.metrics`, counted since the client was made. It contains no secret."""

    token: TokenMetrics
    limit: LimitStats | None
    """None without `calls_per_minute`."""


def client_metrics(renewals: int, limit: LimitStats | None, sharing: Sharing | None) -> ClientMetrics:
    """Return the figures of a client's parts. No engine is asked."""
    if sharing is None:
        return ClientMetrics(TokenMetrics(renewals, 0, 0, 0, 0, 0.0), limit)
    tokens = sharing.tokens
    counted = tokens.by_others.value, tokens.generation, tokens.waits.value, tokens.lost_fences.value
    return ClientMetrics(TokenMetrics(renewals, *counted, sharing.asking.away_seconds), limit)
