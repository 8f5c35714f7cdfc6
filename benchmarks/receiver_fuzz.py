"""Millions of bodies for `receive`: valid ones that are cut or doubled, with changed bytes, digits and structure.

    python -m benchmarks.receiver_fuzz [COUNT] [SEED]

It ends at the first exception, or at an answer that is neither 200 nor 400. It prints counts, the slowest call, and how
much the memory of the process grew after the first tenth.
"""

import copy
import json
import logging
import random
import resource
import sys
import time
from collections import Counter

from iot_northbound.push import DuplicateWindow, MemoryInbox, PushMessageReceiver
from iot_northbound.testing.messages import PUSH_KINDS, push_body, push_message

_SEEDS = [push_body(kind) for kind in PUSH_KINDS]
_PIECES = [
    *(b"null", b"true", b"-1", b"1e999", b"[]", b"{}", b'""', b'"\\ud800"', b"\xff", b"\x00", b"NaN", b"9" * 400),
    *(b'"notifyType":', b'"commandId":', b'"service":[', b'"header":{', b"[" * 200, b'{"a":' * 60, b"\xef\xbb\xbf"),
    *(b",", b":", b'"', b"\\u0000"),
]
_VALUES = [
    None,
    True,
    0,
    -1.5,
    2**70,
    "",
    "text",
    "\ud800",
    "\x00",
    "20260301T101500Z",
    [],
    {},
    [None],
    {"a": [1.0]},
    "x" * 500,
]


def reshaped(chance: random.Random) -> bytes:
    """Return a message that is still JSON, with one to four changed values or keys at any depth."""
    message = push_message(chance.choice(PUSH_KINDS))
    for _ in range(chance.randint(1, 4)):
        place = message
        while inner := [each for each in place.values() if isinstance(each, dict) and each]:
            if chance.random() < 0.5:
                break
            place = chance.choice(inner)
        key = chance.choice([*place, "new", "deviceId", "header", "commandId", "notifyType "])
        match chance.randrange(4):
            case 0:
                place.pop(key, None)
            case 1:
                place[key] = [place.get(key)]
            case _:
                place[key] = copy.deepcopy(chance.choice(_VALUES))
    return json.dumps(message).encode()


def mutated(chance: random.Random) -> bytes:
    """Return a valid body with one to five changes."""
    body = bytearray(chance.choice(_SEEDS))
    for _ in range(chance.randint(1, 5)):
        at = chance.randrange(len(body) + 1)
        match chance.randrange(6):
            case 0:
                body[at : at + chance.randint(1, 4)] = chance.randbytes(chance.randint(0, 4))
            case 1:
                body[at : at + chance.randint(0, 20)] = chance.choice(_PIECES)
            case 2:
                del body[at:]
            case 3:
                del body[at : at + chance.randint(1, 60)]
            case 4:
                body[at:at] = body[: chance.randint(0, 200)]
            case _:
                other = chance.choice(_SEEDS)
                body[at:] = other[chance.randrange(len(other)) :]
    return bytes(body)


def main(count: int, seed: int) -> None:
    """Post `count` bodies and print the outcome."""
    logging.disable(logging.CRITICAL)
    chance = random.Random(seed)
    statuses: Counter[int] = Counter()
    slowest, grown_from = 0.0, 0
    started = time.monotonic()
    with PushMessageReceiver(MemoryInbox(duplicates=DuplicateWindow(messages=1_000)), threads=1) as receiver:
        for number in range(count):
            if number == count // 10:
                grown_from = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            body = chance.choice((mutated, reshaped))(chance)
            begin = time.perf_counter()
            answer = receiver.receive(body, {"content-type": "application/json"})
            slowest = max(slowest, time.perf_counter() - begin)
            if answer.status == 503:  # the only handler thread is behind, but not for long
                time.sleep(0.05)
            elif answer.status not in (200, 400):
                raise AssertionError((answer, body))
            statuses[answer.status] += 1
        while receiver.metrics().depth:
            time.sleep(0.01)
        metrics = receiver.metrics()
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - grown_from
    if metrics.failures or metrics.dead:
        raise AssertionError(metrics)
    print(f"{count:,} bodies, seed {seed}: {dict(statuses)} in {time.monotonic() - started:.0f} s")
    print(f"  handled {metrics.handled:,}, duplicates {metrics.duplicates:,}, failures 0")
    print(f"  slowest call {slowest * 1e3:.1f} ms, peak memory grew {grown / 1024:.1f} MiB after the first tenth")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000, int(sys.argv[2]) if len(sys.argv) > 2 else 1)
