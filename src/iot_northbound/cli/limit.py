"""``iot-northbound limit``: the calls per minute that the processes of one application share."""

from __future__ import annotations

import argparse
from typing import Any

from iot_northbound.cli.parser import Parser
from iot_northbound.cli.sharing import add_shared_arguments, opened_state, seconds, show


def add_parser(subparsers: Any) -> Parser:
    """Add the subcommand."""
    parser: Parser = subparsers.add_parser(
        "limit",
        help="show the limit of calls that several processes share",
        description="status: show how many calls of the last minute count, how many are free, and who waits. It takes "
        "no place in the limit itself.",
    )
    parser.add_argument("action", choices=("status",), help="what to do")
    add_shared_arguments(parser)
    return parser


def run(arguments: argparse.Namespace) -> int:
    """Show the limit; return 0."""
    with opened_state(arguments) as (state, settings):
        status = state.status()
    limit = settings.http.calls_per_minute
    free = None if limit is None else max(limit - status.slots, 0)
    values = {
        "state": state.shown,
        "calls_per_minute": limit,
        "taken": status.slots,
        "free": free,
        "waiting": status.waiting,
        "processes": status.processes,
        "paused_seconds": status.paused,
    }
    lines = {
        "state": state.shown,
        "limit": "not set: calls_per_minute is missing" if limit is None else f"{limit} calls per minute",
        "taken": str(status.slots) if free is None else f"{status.slots}, {free} free",
        "waiting": f"{status.waiting} processes",
        "processes": f"{status.processes} in the last minute",
        "paused": f"for another {seconds(status.paused)}, because the platform refused a call"
        if status.paused > 0
        else "",
    }
    show(arguments, values, lines)
    return 0
