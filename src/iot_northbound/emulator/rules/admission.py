"""What each guarded call passes before its rule: its token, its application's quota, the application it acts for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from iot_northbound.emulator.kernel.routing import guard
from iot_northbound.emulator.rules import applications, throttling

if TYPE_CHECKING:
    from iot_northbound.emulator.kernel.calls import Call
    from iot_northbound.emulator.kernel.platform import Platform


@guard
def admit(platform: Platform, call: Call) -> None:
    """Find the caller, count the call, and find the application it acts for.

    Raises:
        Refusal: One of these steps refuses the call.
    """
    applications.authenticate(platform, call)
    throttling.count(platform, call)
    applications.authorise(platform, call)


TOKEN: Final = {
    "1010005": "a missing, unknown, ended or expired token, or an app_key that is not the token's application",
    "1010009": "flow control is on and the application has used up its calls per minute",
}
APPLICATION: Final = {
    "100203": "appId names no application (403); the caller's own application was removed after its login (500)",
    "100217": "appId names an application that has not authorised the caller",
}
INTERNAL: Final = {"50252": "fault: the answer to an unexpected failure inside; no input is known to cause one"}
GUARDED: Final = {**TOKEN, **APPLICATION, **INTERNAL}
"""How the codes of most endpoints are reached that have a guard before them."""
