"""A command for a method of a service: arguments for its ids, options for the fields of its request."""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, get_type_hints

import attrs
import click

from iot_northbound.cli.calls.asking import confirm, count_of, yes_option
from iot_northbound.cli.calls.fields import (
    PAGES,
    columns_of,
    dto_in,
    fields_of,
    made,
    named,
    option_of,
    request_of,
)
from iot_northbound.cli.calls.values import JsonFile
from iot_northbound.cli.command import Group, Option
from iot_northbound.cli.context import Session, pass_session

_NO_OPTIONS = frozenset({"access_token", "timeout", "on_progress", "polling"})
WORDS = {
    "cascade": "whether the devices of a gateway are deleted too; by default they are",
    "select": "what to return in addition",
}
"""The arguments of methods that are not fields of a request."""
_BODY = "file with the request as JSON, with the platform's names; - is the standard input; options replace its values"


@attrs.frozen(kw_only=True)
class Verb:
    """A command that calls one method."""

    name: str
    method: str
    """Service and method: `device_management.modify_device_info`."""
    help: str
    arguments: tuple[str, ...] = ()
    """Fields of the request that are arguments, in their order; `…` after a name takes several values."""
    defaults: Mapping[str, Any] = types.MappingProxyType({})
    """Values of fields that are not given; a text may have names of other fields in braces."""
    left_out: frozenset[str] = PAGES
    """Fields without an option."""
    columns: tuple[str, ...] = ()
    """Columns of the table, if it is a list: names of JSON with dots between them."""
    deletes: str = ""
    """What its ids name, if it deletes one after the other: `package`."""
    done: str = ""
    """What to say if the method returns nothing: `{device_id} is changed`."""

    def command(self) -> click.Command:
        """Return the command."""
        maker = _Maker(self)
        return made(self.name, self.help, maker.parameters(), pass_session()(maker.run))


class _Maker:
    """Makes the command of a verb, and runs it."""

    def __init__(self, verb: Verb) -> None:
        self._verb = verb
        method = method_of(verb.method)
        hints = get_type_hints(method)
        parameters = [
            each for each in list(inspect.signature(method).parameters.values())[1:] if each.name not in _NO_OPTIONS
        ]
        self._takes = {each.name: dto for each in parameters if (dto := dto_in(hints[each.name])) is not None}
        """The argument that is the request, with its class; empty if there is none."""
        self._fields = tuple(field for dto in self._takes.values() for field in fields_of(dto))
        plain = [each for each in parameters if each.name not in self._takes]
        self._ids = [each.name for each in plain if each.default is inspect.Parameter.empty]
        self._options = {each.name: hints[each.name] for each in plain if each.name not in self._ids}

    def parameters(self) -> Iterator[click.Parameter]:
        """Yield the arguments and options."""
        verb = self._verb
        for name in self._ids:
            yield click.Argument([name], nargs=-1 if verb.deletes else 1, required=True)
        by_name = {field.spec.name: field for field in self._fields}
        taken = [name.removesuffix("…") for name in verb.arguments]
        for name, given in zip(taken, verb.arguments, strict=True):
            yield by_name[name].argument(several=given.endswith("…"))
        for name, field in by_name.items():
            if name not in taken and name not in verb.left_out:
                yield field.parameter()
        for name, hint in self._options.items():
            yield option_of(name, is_flag=bool in getattr(hint, "__args__", ()), words=WORDS.get(name, ""))
        if verb.columns:
            yield Option(["limit", "--limit"], type=click.IntRange(1), help="how many at most; by default all")
        elif self._takes:
            yield Option(["body", "--body"], type=JsonFile(), help=_BODY)
        if verb.deletes:
            yield yes_option()

    def run(self, session: Session, **given: Any) -> None:
        """Make the call, or one for each id, and show the answers."""
        verb = self._verb
        values = {name: given.get(named(name)) for name in (*self._ids, *self._options)}
        values = {name: value for name, value in values.items() if value is not None}
        for name, value in verb.defaults.items():
            if given.get(named(name)) is None:
                given[named(name)] = value.format_map(given) if isinstance(value, str) else value
        for name, dto in self._takes.items():
            values[name] = request_of(dto, self._fields, given, given.get("body"))
        if not verb.deletes:
            self._show(session, self._call(session, values), given, given.get("limit"))
            return
        (ids,) = (dict.fromkeys(given[name]) for name in self._ids)
        confirm(f"delete {count_of(len(ids), verb.deletes)}", yes=given["yes"] or len(ids) == 1)
        for one in ids:
            answer = self._call(session, {**values, self._ids[0]: one})
            self._show(session, answer, {self._ids[0]: one})

    def _call(self, session: Session, values: Mapping[str, Any]) -> Any:
        service, _, name = self._verb.method.partition(".")
        return getattr(getattr(session.client, service), name)(**values)

    def _show(self, session: Session, answer: Any, given: Mapping[str, Any], limit: int | None = None) -> None:
        if self._verb.columns:
            (only, *_) = self._verb.columns
            items = ({only: each} if isinstance(each, str) else each for each in answer)
            session.output.rows(islice(items, limit), columns_of(self._verb.columns))
        elif answer is not None:
            session.output.item(answer)
        else:
            session.output.note(self._verb.done.format_map(given))


def method_of(path: str) -> Callable[..., Any]:
    """Return a method by service and name."""
    from iot_northbound import services

    module, _, name = path.partition(".")
    service = getattr(services, "".join(word.capitalize() for word in module.split("_")))
    method: Callable[..., Any] = getattr(service, name)
    return method


class Verbs(Group):
    """A group of commands, which are made when they are used: from its verbs, and from functions."""

    def __init__(self, name: str, words: str, verbs: Sequence[Verb]) -> None:
        super().__init__(name, help=words, no_args_is_help=True)
        self._verbs = {verb.name: verb for verb in verbs}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands."""
        return sorted({*self._verbs, *super().list_commands(ctx)})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command."""
        verb = self._verbs.get(cmd_name)
        return super().get_command(ctx, cmd_name) if verb is None else verb.command()
