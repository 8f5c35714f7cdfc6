"""The fields of a request as options of a command, with the names, types and words of its DTO."""

from __future__ import annotations

import inspect
import re
import types
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

import attrs
import click

from iot_northbound.cli.calls.values import Json, SecretFile, Time
from iot_northbound.cli.command import Command, Option, refuse
from iot_northbound.cli.output import Column
from iot_northbound.core.fields import FieldSpec, snake, specs
from iot_northbound.errors import InvalidArgumentError

_LINE = re.compile(r"^    (\w+): (.*(?:\n {8}.*)*)", re.MULTILINE)
_SEE = re.compile(r"[;.]? [Ss]ee `(\w+)`")
T = TypeVar("T")
PAGES = frozenset({"page_no", "page_size"})


_NAMES = {"app_id": "for_app", "access_app_id": "for_app", "secret": "device_secret"}
"""Fields whose own names are options that say which platform to call."""
_FOR_APP = "another application, which has granted access; by default your own"


@attrs.frozen
class Field:
    """One field of a request, or of a part of it."""

    owner: type
    spec: FieldSpec
    way: tuple[str, ...]
    """The names in JSON that lead to it, its own at the end."""
    needed: bool
    words: str
    """What it is, in the words of the docstring."""

    @property
    def name(self) -> str:
        """Its name among the arguments of the command."""
        return named(self.spec.name)

    @property
    def option(self) -> str:
        """The option that sets it. A secret is read from a file, because the process list shows arguments."""
        name = f"{self.name}_file" if self.spec.secret else self.name
        return f"--{name.replace('_', '-')}"

    def argument(self, *, several: bool = False) -> click.Argument:
        """Return the argument that sets it."""
        return click.Argument([self.name], type=_kind(self.spec.type), nargs=-1 if several else 1, required=True)

    def parameter(self) -> Option:
        """Return the option that sets it."""
        kind = _kind(self.spec.type)
        if kind is bool:
            return option_of(self.spec.name, is_flag=True, words=self._help)
        return Option(
            [self.name, self.option],
            type=SecretFile() if self.spec.secret else kind,
            multiple=kind is str and typing.get_origin(self.spec.type) is list,
            help=f"file with {self._help}; - is the standard input" if self.spec.secret else self._help,
            shell_complete=self._completions,
        )

    @property
    def _values(self) -> list[str]:
        """The documented values; others are sent too."""
        from iot_northbound import dto

        found = _SEE.search(self.words)
        return [] if found is None else [str(each) for each in getattr(dto, found[1])]

    def _completions(self, _: click.Context, __: click.Parameter, incomplete: str) -> list[str]:
        return [value for value in self._values if value.lower().startswith(incomplete.lower())]

    @property
    def _help(self) -> str:
        if self.name == "for_app":
            return _FOR_APP
        words = _SEE.sub("", self.words.removeprefix("mandatory; ")).replace("`", "").rstrip(".")
        text = f"{words}: {', '.join(self._values)}" if self._values else words
        return f"{text} (needed)" if self.needed else text


def named(name: str) -> str:
    """Return the name of a field, or of a method's argument, among the arguments of the command."""
    return _NAMES.get(name, name.rstrip("_"))


def option_of(name: str, *, is_flag: bool, words: str) -> Option:
    """Return the option that sets a field of plain type, or an argument of a method."""
    own = named(name)
    option = f"--{own.replace('_', '-')}"
    words = _FOR_APP if own == "for_app" else words
    if is_flag:
        return Option([own, f"{option}/--no-{option[2:]}"], default=None, help=words)
    return Option([own, option], help=words)


for_app = click.option("--for-app", metavar="ID", help=_FOR_APP)
"""The application that owns what is asked for, as a decorator."""


def made(name: str, words: str, parameters: Iterable[click.Parameter], callback: Callable[..., None]) -> click.Command:
    """Return a command with these parameters, before those that `pass_session` has given its function."""
    own: list[click.Parameter] = getattr(callback, "__click_params__", [])
    text = f"{words[0].upper()}{words[1:]}."
    return Command(name, params=[*parameters, *reversed(own)], help=text, short_help=words, callback=callback)


def columns_of(paths: Iterable[str]) -> list[Column]:
    """Return columns for names of JSON, with dots between them. The title is the last name in words."""
    return [Column(snake(path.rpartition(".")[2]).replace("_", " "), path) for path in paths]


def fields_of(cls: type, way: tuple[str, ...] = (), *, needed: bool = True) -> Iterator[Field]:
    """Yield the fields of a request. Those of a request inside it are among them, in its place."""
    words = dict(_LINE.findall(f"\n{inspect.cleandoc(cls.__doc__ or '')}"))
    for spec in specs(cls).values():
        inner = dto_in(spec.type)
        must = needed and spec.mandatory
        if inner is not None:
            yield from fields_of(inner, (*way, spec.wire), needed=must)
        else:
            told = " ".join(words.get(spec.name, "").split())
            yield Field(cls, spec, (*way, spec.wire), must, told)


def dto_in(kind: Any) -> type | None:
    """Return the DTO class that a type is, or that is one of its alternatives; None if there is none."""
    return next((each for each in _parts(kind) if isinstance(each, type) and attrs.has(each)), None)


def _parts(kind: Any) -> Sequence[Any]:
    return typing.get_args(kind) if typing.get_origin(kind) in (types.UnionType, typing.Union) else (kind,)


def _kind(kind: Any) -> Any:
    """Return the type of the values that a person types for a field."""
    parts = _parts(kind)
    if datetime in parts:
        return Time()
    for plain in (bool, int, float, str):
        if plain in parts:
            return plain
    if typing.get_origin(kind) is list and _kind(typing.get_args(kind)[0]) is str:
        return str
    return Json()


def request_of(cls: type, fields: Sequence[Field], given: Mapping[str, Any], body: Mapping[str, Any] | None) -> Any:
    """Return the request that options and a JSON object describe together; an option replaces the object's value.

    Raises:
        Refusal: a field is missing, is not known or breaks its rule.
    """
    whole = _copied(body or {})
    for field in fields:
        value = given.get(field.name)
        if value is None or value == ():
            continue
        *outer, last = field.way
        place = whole
        for name in outer:
            place = place.setdefault(name, {})
            if not isinstance(place, dict):
                refuse(f"{name} must be a JSON object, because {field.option} is given too")
        place[last] = list(value) if isinstance(value, tuple) else value
    try:
        return cls.from_json(whole)  # type: ignore[attr-defined]  # a DTO
    except InvalidArgumentError as error:
        refuse(_in_words_of(fields, error))


def valid(make: Callable[[], T]) -> T:
    """Return what a function makes of arguments; end the command if one of them breaks a rule.

    Raises:
        Refusal: it does; the text says which.
    """
    try:
        return make()
    except InvalidArgumentError as error:
        refuse(re.sub(r"\b[A-Z]\w*\.(\w+)", lambda found: found[1].replace("_", " "), error.error_desc))


def _copied(value: Any) -> Any:
    return {name: _copied(inner) for name, inner in value.items()} if isinstance(value, Mapping) else value


def _in_words_of(fields: Sequence[Field], error: InvalidArgumentError) -> str:
    """Return the text of an error with options in place of the attributes of DTOs."""
    names = {f"{field.owner.__name__}.{field.spec.name}": field.option for field in fields}
    text = re.sub(r"\b[A-Z]\w*\.\w+", lambda found: names.get(found[0], found[0]), error.error_desc)
    return re.sub(r"^(--[\w-]+) = None: it is mandatory$", r"\1 is needed", text)
