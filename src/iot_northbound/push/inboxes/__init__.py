"""`open_inbox`: the inbox that a URL names. The package of an engine is imported only then."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import SplitResult, parse_qsl, unquote, urlencode, urlsplit

from iot_northbound.core.clock import SYSTEM_CLOCK, Clock
from iot_northbound.core.suggest import did_you_mean
from iot_northbound.errors import InvalidArgumentError
from iot_northbound.push.arguments import check
from iot_northbound.push.duplicates import DuplicateWindow

if TYPE_CHECKING:
    from iot_northbound.push.inbox import Inbox, InboxLimits, Sink


def open_inbox(
    url: str,
    *,
    limits: InboxLimits | None = None,
    duplicates: DuplicateWindow | None = DuplicateWindow(),  # noqa: B008  # frozen
    clock: Clock = SYSTEM_CLOCK,
) -> Inbox | Sink:
    """Return the inbox that a URL names. It connects to nothing, and opens no file, before it is started.

    | URL | inbox |
    |---|---|
    | ``sqlite:/var/lib/na/pushes.sqlite3?wait=30`` | `SqliteInbox`; ``sqlite:name`` is in the working directory |
    | ``memory:`` | `MemoryInbox` |
    | ``postgresql://user@host/database?schema=na&lease=15&shards=64`` | `PostgresInbox` |
    | ``kafka://host:9092,host2:9092/topic?name=value`` | `KafkaSink`; names and values are librdkafka's settings |

    Args:
        url: the URL.
        limits: when the inbox is full; a Kafka topic takes none.
        duplicates: how far back repetitions are recognised; None switches that off.
        clock: the source of time.

    Raises:
        InvalidArgumentError: the URL names no inbox, or has a value that cannot be used (1007). It is shown without its
            user and password.
        MissingExtraError: the extra of the engine is not installed; the text names it.
    """
    check("url", url, str)
    try:
        parts = urlsplit(url)
        make = _MAKERS[parts.scheme]
    except (ValueError, KeyError):
        scheme, colon, _ = url.partition(":")
        begins = ", ".join(f"{each}:" for each in _MAKERS)
        rule = f"a URL of an inbox begins with {begins}; for a file, give SqliteInbox(path) or sqlite:path"
        shown = f"{scheme}:…" if colon else repr(url)
        raise InvalidArgumentError.of("inbox", shown, f"{rule}{did_you_mean(scheme, tuple(_MAKERS))}") from None
    return make(parts, {"limits": limits, "duplicates": duplicates, "clock": clock})


def _sqlite(parts: SplitResult, options: dict[str, Any]) -> Inbox:
    from iot_northbound.push.sqlite_inbox import SqliteInbox

    own, other = _options(parts, {"wait": float})
    if parts.netloc or not parts.path or other:
        _refuse(parts, "it must be sqlite:/folder/file or sqlite:/folder/file?wait=SECONDS")
    return SqliteInbox(unquote(parts.path), **own, **options)


def _memory(parts: SplitResult, options: dict[str, Any]) -> Inbox:
    from iot_northbound.push.memory_inbox import MemoryInbox

    if parts.netloc or parts.path or parts.query:
        _refuse(parts, "it must be memory: and nothing else")
    return MemoryInbox(**options)


def _postgres(parts: SplitResult, options: dict[str, Any]) -> Inbox:
    own, other = _options(parts, {"schema": str, "lease": float, "shards": int})
    module = importlib.import_module("iot_northbound.push.inboxes.postgres")
    inbox: Inbox = module.PostgresInbox(parts._replace(query=urlencode(other)).geturl(), **own, **options)
    return inbox


def _kafka(parts: SplitResult, options: dict[str, Any]) -> Sink:
    topic = parts.path.removeprefix("/")
    if not parts.netloc or not topic or "/" in topic:
        _refuse(parts, "it must be kafka://host:port/topic")
    if options.pop("limits") is not None:
        _refuse(parts, "a topic has no InboxLimits: Kafka's own settings limit it")
    module = importlib.import_module("iot_northbound.push.sinks.kafka")
    sink: Sink = module.KafkaSink(parts.netloc, unquote(topic), dict(_options(parts, {})[1]), **options)
    return sink


_MAKERS: dict[str, Callable[[SplitResult, dict[str, Any]], Inbox | Sink]] = {
    "sqlite": _sqlite,
    "memory": _memory,
    "postgresql": _postgres,
    "kafka": _kafka,
}


def _options(
    parts: SplitResult, known: dict[str, Callable[[str], Any]]
) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """Return the options of the query that are ours, as values, and the others as they are."""
    own: dict[str, Any] = {}
    other: list[tuple[str, str]] = []
    for name, text in parse_qsl(parts.query, keep_blank_values=True):
        if name not in known:
            other.append((name, text))
            continue
        try:
            own[name] = known[name](text)
        except ValueError:
            _refuse(parts, f"{name}={text} is not a number")
    return own, other


def _refuse(parts: SplitResult, rule: str) -> NoReturn:
    where = parts._replace(netloc=parts.netloc.rpartition("@")[2], query="").geturl()
    raise InvalidArgumentError.of("inbox", where, rule)
