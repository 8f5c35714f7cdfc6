"""What a client and a receiver do, as figures that Prometheus collects."""

import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from iot_northbound._extras import needs_extra
from iot_northbound.client import NorthApiClient
from iot_northbound.core.hooks import Hooks, ResponseEvent, RetryEvent
from iot_northbound.error_codes import explain

with needs_extra("prometheus"):
    from prometheus_client import REGISTRY, CollectorRegistry, Counter, Histogram
    from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
    from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from iot_northbound.push.receiver import PushMessageReceiver

log = logging.getLogger("iot_northbound.telemetry")
SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Upper ends of the buckets for the time of an attempt."""


class _Figure(NamedTuple):
    """A value that is read when Prometheus asks."""

    name: str
    help: str
    counts: bool
    """Whether it only grows."""
    value: float
    labels: tuple[str, ...] = ()


class PrometheusMetrics:
    """Counts the calls of clients, and shows what clients and receivers count themselves.

    One object serves any number of clients and receivers; `name` tells them apart. Labels never contain an id. Their
    number is bounded: a code that the platform's documentation does not have is counted as ``other``.

    Args:
        registry: where Prometheus collects; by default the library's own.
    """

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        self._attempts = Counter(
            "iot_northbound_attempts",
            "Attempts of calls, by call, HTTP status and error code.",
            ("endpoint", "status", "code"),
            registry=registry,
        )
        self._seconds = Histogram(
            "iot_northbound_attempt_seconds",
            "How long an attempt took.",
            ("endpoint",),
            buckets=SECONDS,
            registry=registry,
        )
        self._retries = Counter(
            "iot_northbound_retries", "Attempts that were followed by another one.", ("endpoint",), registry=registry
        )
        self._watched = _Watched()
        registry.register(self._watched)

    @property
    def hooks(self) -> Hooks:
        """The hooks to give to a client."""
        return Hooks(after_response=self._answered, on_retry=self._repeated)

    def watch_client(self, client: NorthApiClient, name: str = "client") -> None:
        """Show `client.metrics`: token, limit, connections."""
        self._watched.clients[name] = client

    def watch_receiver(self, receiver: "PushMessageReceiver", name: str = "receiver") -> None:
        """Show `receiver.metrics()`: depth and age of the inbox, accepted, refused and handled messages."""
        self._watched.receivers[name] = receiver

    def _answered(self, event: ResponseEvent) -> None:
        status = "none" if event.status is None else str(event.status)
        code = "" if event.error_code is None else event.error_code if explain(event.error_code) else "other"
        self._attempts.labels(event.endpoint, status, code).inc()
        self._seconds.labels(event.endpoint).observe(event.elapsed)

    def _repeated(self, event: RetryEvent) -> None:
        self._retries.labels(event.endpoint).inc()


class _Watched(Collector):
    """Reads the figures of clients and receivers when Prometheus asks."""

    def __init__(self) -> None:
        self.clients: dict[str, NorthApiClient] = {}
        self.receivers: dict[str, PushMessageReceiver] = {}

    def describe(self) -> Iterator[Metric]:
        """Say nothing in advance: which figures there are depends on what is watched."""
        yield from ()

    def collect(self) -> Iterator[Metric]:
        """Yield all figures of this moment."""
        families: dict[str, CounterMetricFamily | GaugeMetricFamily] = {}
        of_clients = [pair for name, each in [*self.clients.items()] for pair in _readable(name, _of_client(each))]
        of_receivers = [
            pair for name, each in [*self.receivers.items()] for pair in _readable(name, _of_receiver(each))
        ]
        for name, figure in [*of_clients, *of_receivers]:
            if figure.name not in families:
                kind = CounterMetricFamily if figure.counts else GaugeMetricFamily
                labels = ("name", *(["status"] if figure.labels else []))
                families[figure.name] = kind(f"iot_northbound_{figure.name}", figure.help, labels=labels)
            families[figure.name].add_metric((name, *figure.labels), figure.value)
        yield from families.values()


def _readable(name: str, figures: Iterator[_Figure]) -> list[tuple[str, _Figure]]:
    """Return the figures of a source; none if it cannot be read now, because the others must not be lost with it."""
    try:
        return [(name, each) for each in figures]
    except Exception as error:  # noqa: BLE001 - the database of an inbox is away, for example
        log.warning("the figures of %s cannot be read: %s", name, type(error).__name__)
        return []


def _of_client(client: NorthApiClient) -> Iterator[_Figure]:
    token, limit = client.metrics
    yield _Figure("connections_opened", "Connections to the platform.", True, client.connections_opened)
    yield _Figure("token_renewals", "Renewals of the token by this client.", True, token.renewals)
    yield _Figure("token_renewals_by_others", "Renewals by other processes.", True, token.renewals_by_others)
    yield _Figure("token_waits", "Calls that waited for another process's renewal.", True, token.waits)
    yield _Figure("token_lost_fences", "Renewals whose lease had gone to another.", True, token.lost_fences)
    yield _Figure("shared_state_away_seconds", "How long the shared state was away.", True, token.state_away_seconds)
    if limit is not None:
        yield _Figure("limit_taken", "Attempts that got their place in the limit.", True, limit.taken)
        yield _Figure("limit_waited_seconds", "How long they waited for it.", True, limit.waited_seconds)
        yield _Figure(
            "limit_refused", "Attempts that the platform refused all the same.", True, limit.refused_by_platform
        )
        yield _Figure("limit_processes", "Clients that share the limit.", False, limit.processes)


def _of_receiver(receiver: "PushMessageReceiver") -> Iterator[_Figure]:
    figures = receiver.metrics()
    yield _Figure("inbox_depth", "Messages that wait or are being handled.", False, figures.depth)
    yield _Figure("inbox_age_seconds", "How long the oldest of them has waited.", False, figures.age)
    yield _Figure("inbox_dead", "Dead letters.", False, figures.dead)
    yield _Figure("inbox_bytes", "Bytes of all bodies in the inbox.", False, figures.size)
    yield _Figure("pushes_accepted", "New messages that were answered 200.", True, figures.accepted)
    yield _Figure("pushes_duplicates", "Repetitions that were dropped.", True, figures.duplicates)
    for status, count in sorted(figures.refused.items()):
        yield _Figure("pushes_refused", "Answers other than 200.", True, count, (str(status),))
    yield _Figure("pushes_handled", "Messages whose handlers have finished.", True, figures.handled)
    yield _Figure("pushes_failures", "Attempts of handlers that ended with an error.", True, figures.failures)
    if figures.leases is not None:
        yield _Figure("inbox_shards", "Shards of a shared inbox that this process has.", False, figures.leases.shards)
        yield _Figure("inbox_shards_lost", "Shards that it lost.", True, figures.leases.lost)
        yield _Figure(
            "inbox_takeovers", "Shards of processes that ended without a word.", True, figures.leases.takeovers
        )
