"""``iot-northbound call``: any call of the API, with its answer as JSON."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

import click

from iot_northbound.cli.calls.values import JsonFile, ParamType, pairs, text_pairs
from iot_northbound.cli.command import Command, refuse
from iot_northbound.cli.context import Session, pass_session
from iot_northbound.cli.output import Column

_METHODS = ("GET", "POST", "PUT", "DELETE", "PATCH")
_IN_PATH = "/%:@!$&'()*+,;=~-._"


class _Method(ParamType):
    name = "METHOD"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if value.upper() not in _METHODS:
            self.fail(f"{value!r} is not one of {', '.join(_METHODS)}", param, ctx)
        return value.upper()


def _show_list(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    if not wanted:
        return
    from iot_northbound.cli.output import Output
    from iot_northbound.services.calls import calls

    rows = [
        {"method": call.endpoint.method, "path": call.endpoint.path, "section": call.section, "python": call.name}
        for call in calls()
    ]
    Output().rows(rows, [Column(name, name) for name in ("method", "path", "section")])
    context.exit()


@click.command(cls=Command, short_help="make any call of the API")
@click.argument("method", type=_Method())
@click.argument("path")
@click.argument("fields", nargs=-1, metavar="[KEY=VALUE]...")
@click.option("--body", type=JsonFile(), help="file with the body as JSON; - is the standard input")
@click.option("--query", multiple=True, metavar="KEY=VALUE", help="field of the query, beside a body; repeatable")
@click.option(
    "--list", is_flag=True, is_eager=True, expose_value=False, callback=_show_list, help="list the documented calls"
)
@pass_session(formats=("json", "jsonl"))
def call(
    session: Session,
    method: str,
    path: str,
    fields: tuple[str, ...],
    body: dict[str, Any] | None,
    query: tuple[str, ...],
) -> None:
    """Make a call with the application's token, and print the answer as JSON.

    KEY=VALUE fields go into the query of GET and DELETE, and into the body of the others. In a body, a value that is
    JSON is sent as JSON. A call that is not a GET is not repeated if its outcome is unknown.
    """
    from iot_northbound.core.endpoint import Endpoint

    pure, asked = _parts(path)
    asked |= text_pairs(query)
    if method in ("GET", "DELETE"):
        asked |= text_pairs(fields)
    elif fields or body is not None:
        body = {**(body or {}), **pairs(fields)}
    # A body goes as it is written here: with its nulls, which a request DTO leaves out.
    content = None if body is None else json.dumps(body, ensure_ascii=False).encode()
    endpoint: Endpoint[dict[str, Any]] = Endpoint(method, pure, dict, section="", may_be_empty=True)
    answer = session.client.call(endpoint, {}, query=asked or None, body=content)
    if answer:
        session.output.item(answer)
    else:
        session.output.note("done; the answer is empty")


def _parts(path: str) -> tuple[str, dict[str, str]]:
    """Return a path, percent-encoded, and the fields of its query; end the command if it is not a path."""
    if not path.startswith("/") or path.startswith("//"):
        refuse(f"{path!r} is not a path of the platform: it must begin with one /, without a host")
    if re.search(r"[\x00-\x20\x7f{}#\\]", path):
        refuse("the path has a blank, a brace, a backslash, a # or a control character: fill it in, or encode it")
    found = urlsplit(path)
    return quote(found.path, safe=_IN_PATH), dict(parse_qsl(found.query, keep_blank_values=True))
