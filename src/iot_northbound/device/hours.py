"""Which hour the password of a login is for: the platform's counts, and its clock may differ from the device's."""

from iot_northbound.device.credentials import stamp_of

TOLERANCE = 300.0
"""Seconds by which the clocks of the device and of the platform may differ at the turn of an hour."""
_LOGINS = 3


class Hours:
    """The hours that a device tries when the platform takes its id or its secret for wrong.

    Near the turn of an hour, the clock of the device may be in another hour than the platform's. So it tries the other
    hour, and then its own again, because the platform may have reached it meanwhile. If its own hour has turned since
    the password was made, the new one is tried. Elsewhere the first refusal is final: no number of logins makes a wrong
    secret right, and they look like an attack.

    Args:
        checked: whether the platform compares the hours (sign type 1).

    Attributes:
        shift: seconds to add to the device's time for the next login.
    """

    __slots__ = ("_checked", "_left", "shift")

    def __init__(self, checked: bool) -> None:
        self._checked, self._left = checked, _LOGINS
        self.shift = 0.0

    def refused(self, stamp: str, now: float) -> bool:
        """Note that the platform refused a login with this stamp; return whether to try again at once."""
        self._left -= 1
        if not self._checked or self._left <= 0:
            return False
        for shift in (0.0, -TOLERANCE, TOLERANCE):
            if stamp_of(now + shift) != stamp:
                self.shift = shift
                return True
        return False
