"""What a client shares with the other processes of its application: token and limit, in one state."""

from iot_northbound.core.asking import Asking
from iot_northbound.core.clock import Clock
from iot_northbound.core.shared_tokens import SharedTokens
from iot_northbound.core.slot_sources import SharedSlots
from iot_northbound.shared import open_state
from iot_northbound.shared.seal import Seal


class Sharing:
    """The parts of a client that use the shared state.

    Args:
        url: where the state is.
        away: what to do without it, "fail" or "alone".
        application: host:port/application id of the platform.
        secret: the application's secret, which seals the token.
        clock: time.
    """

    def __init__(self, url: str, away: str, application: str, secret: str, clock: Clock) -> None:
        self.state = open_state(url, application, clock=clock)
        self.asking = Asking(self.state)
        app_id = application.partition("/")[2]
        self.tokens = SharedTokens(self.asking, Seal(application, secret), clock, away=away, app_id=app_id)
        self.slots = SharedSlots(self.asking, clock)
