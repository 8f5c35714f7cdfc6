"""``iot-northbound limit``: the calls per minute that the processes of one application share."""

from __future__ import annotations

from iot_northbound.cli.command import Group
from iot_northbound.cli.context import Session
from iot_northbound.cli.sharing import Where, opened_state, seconds, shared_options

limit = Group("limit", help="Show the limit of calls that the processes of one application share.")


@limit.command("status")
@shared_options
def status(session: Session, where: Where) -> None:
    """Show how many calls of the last minute count, how many are free, and who waits.

    This takes no place in the limit itself.
    """
    with opened_state(session, where) as (state, settings):
        status = state.status()
    allowed = settings.http.calls_per_minute
    free = None if allowed is None else max(allowed - status.slots, 0)
    values = {
        "state": state.shown,
        "calls_per_minute": allowed,
        "taken": status.slots,
        "free": free,
        "waiting": status.waiting,
        "processes": status.processes,
        "paused_seconds": status.paused,
    }
    lines = {
        "state": state.shown,
        "limit": "not set: calls_per_minute is missing" if allowed is None else f"{allowed} calls per minute",
        "taken": str(status.slots) if free is None else f"{status.slots}, {free} free",
        "waiting": f"{status.waiting} processes",
        "processes": f"{status.processes} in the last minute",
        "paused": f"for another {seconds(status.paused)}, because the platform refused a call"
        if status.paused > 0
        else "",
    }
    session.output.item(values, lines)
