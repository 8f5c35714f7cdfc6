"""How often, and when, a failed handler is called again."""

from __future__ import annotations

import attrs

from iot_northbound.push import arguments


@attrs.frozen
class HandlerRetry:
    """Attempts with growing pauses; the message's device waits meanwhile, all others go on.

    Attributes:
        attempts: calls of a handler in all, the first among them; then the message becomes a dead letter.
        first: seconds before the second call; each further pause is twice as long.
        longest: seconds no pause exceeds.
    """

    attempts: int = 6
    first: float = 1.0
    longest: float = 60.0

    def __attrs_post_init__(self) -> None:
        arguments.whole("HandlerRetry.attempts", self.attempts)
        arguments.seconds("HandlerRetry.first", self.first)
        arguments.seconds("HandlerRetry.longest", self.longest)

    def pause(self, attempt: int) -> float | None:
        """Return the seconds to wait after that attempt failed; None when it was the last."""
        if attempt >= self.attempts:
            return None
        # The exponent is held small: nobody waits 2**60 seconds, and floats end at 2**1023.
        return float(min(self.first * 2 ** min(attempt - 1, 60), self.longest))
