"""How often and when a failed handler is called again."""

from __future__ import annotations

import attrs

from iot_northbound.push import arguments


@attrs.frozen
class HandlerRetry:
    """Attempts with growing pauses. Meanwhile the later messages of the same device wait; other devices do not.

    Attributes:
        attempts: how often a handler is called at most, including the first call. Then the message is a dead letter.
        first: seconds before the second call; each further pause is twice as long.
        longest: no pause is longer, in seconds.
    """

    attempts: int = 6
    first: float = 1.0
    longest: float = 60.0

    def __attrs_post_init__(self) -> None:
        arguments.whole("HandlerRetry.attempts", self.attempts)
        arguments.seconds("HandlerRetry.first", self.first)
        arguments.seconds("HandlerRetry.longest", self.longest)

    def pause(self, attempt: int) -> float | None:
        """Return how many seconds to wait after that attempt failed; None if it was the last one."""
        if attempt >= self.attempts:
            return None
        # The exponent is limited, because floats end at 2**1023.
        return float(min(self.first * 2 ** min(attempt - 1, 60), self.longest))
