"""``iot-northbound token``: the token that the processes of one application share."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from iot_northbound.cli.command import Group
from iot_northbound.cli.context import Session
from iot_northbound.cli.exits import Exit
from iot_northbound.cli.sharing import Where, opened_state, seconds, shared_options

if TYPE_CHECKING:
    from iot_northbound.config import Settings
    from iot_northbound.shared import State
    from iot_northbound.shared.state import StateStatus


token = Group("token", help="Show or remove the token that the processes of one application share.")


@token.command("status")
@click.option(
    "--check",
    is_flag=True,
    help="try whether the application's secret opens the stored token; the exit status is 1 if not",
)
@shared_options
def status(session: Session, where: Where, check: bool) -> Exit:
    """Show the state of the shared token, who renewed it and who renews it now.

    The token itself is never shown. Running processes are not disturbed.
    """
    with opened_state(session, where) as (state, settings):
        found = state.status()
        opens = _opens(state, settings) if check else None
    session.output.item(_as_values(state.shown, found, opens), _as_lines(state.shown, found, opens))
    return Exit.FAILED if opens is False else Exit.DONE


@token.command("clear")
@shared_options
def clear(session: Session, where: Where) -> None:
    """Remove the shared token. The next call of any process logs in."""
    with opened_state(session, where) as (state, _):
        state.clear()
        shown = {"state": state.shown, "cleared": True}
        session.output.item(shown, {"state": state.shown, "token": "removed: the next call of any process logs in"})


def _opens(state: State, settings: Settings) -> bool:
    """Return whether the secret opens the record; if there is none, nothing contradicts it."""
    from iot_northbound.shared.seal import Seal

    record = state.read().record
    info = settings.client_info
    return record is None or Seal(info.application, info.secret).open(record) is not None


def _failure(status: StateStatus) -> dict[str, Any] | None:
    """Return the last failure. Its text was written without secrets."""
    if not status.failure:
        return None
    told = json.loads(status.failure)
    return {"code": told["code"], "text": told["desc"], "seconds_ago": status.failed_ago}


def _as_values(shown: str, status: StateStatus, opens: bool | None) -> dict[str, Any]:
    return {
        "state": shown,
        "present": status.present,
        "generation": status.gen,
        "seconds_left": status.left if status.present else None,
        "lifetime": status.lifetime if status.present else None,
        "age": status.age if status.present else None,
        "last_owner": status.owner or None,
        "lease_seconds_left": status.lease_left,
        "failure": _failure(status),
        "forbidden": {endpoint: note.pause - note.age for endpoint, note in status.forbidden.items()},
        "processes": status.processes,
        **({} if opens is None else {"secret_opens_it": opens}),
    }


def _as_lines(shown: str, status: StateStatus, opens: bool | None) -> dict[str, str]:
    held = "none: the next call logs in"
    if status.present:
        left = f"{seconds(status.left)} of {seconds(status.lifetime)} left" if status.left > 0 else "expired"
        held = f"generation {status.gen}, {left}, requested {seconds(status.age)} ago"
    failure = _failure(status)
    paused = {name: note.pause - note.age for name, note in status.forbidden.items() if note.pause > note.age}
    return {
        "state": shown,
        "token": held,
        "last renewed by": status.owner,
        "lease": f"held for another {seconds(status.lease_left)}" if status.lease_left > 0 else "free",
        "last failure": f"{failure['code']}, {seconds(failure['seconds_ago'])} ago: {failure['text']}"
        if failure
        else "",
        "forbidden": ", ".join(f"{name} (no login for {seconds(left)})" for name, left in paused.items()),
        "processes": f"{status.processes} in the last minute" if status.processes else "",
        "secret": {None: "", True: "opens the token", False: "does NOT open the token: it has changed"}[opens],
    }
