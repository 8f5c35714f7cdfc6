"""What goes in and comes out of the platform: a request, the call it becomes, an answer or a refusal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from iot_northbound.error_codes import ERROR_CODES

if TYPE_CHECKING:
    from iot_northbound.emulator.kernel.platform import Platform

Rule = Callable[["Platform", "Call"], "Answer"]
CodeAt = tuple[int, str]
"""A status and a platform code."""

INTERNAL: CodeAt = (500, "50252")
MALFORMED: Any = object()
"""The body of a request that is not valid JSON. Each endpoint answers it with its own documented code."""


def meaning(code: str) -> str:
    """Return what a platform code means, as `error_desc` says it."""
    known = ERROR_CODES.get(code)
    return known.meaning if known is not None else "The request was refused."


@dataclass(slots=True)
class Request:
    """A call as it arrived.

    `path` is still percent-encoded and has no query. `query` is decoded. `body` is JSON, None, or MALFORMED. `form`
    is a form-encoded body. `token` is the bearer token without its scheme.
    """

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: Any = field(default=None, repr=False)
    form: Mapping[str, str] | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    app_key: str | None = None


@dataclass(slots=True)
class Answer:
    """The platform's answer: a status, and JSON or nothing."""

    status: int
    body: Any = None


class Refusal(Exception):
    """A call that the platform refuses. It is answered with an error body, and what it did so far is undone.

    `gateway` chooses the shape of the API gateway in front (resultcode, resultmsg).
    """

    def __init__(self, status: int, code: str, desc: str | None = None, *, gateway: bool = False) -> None:
        self.status = status
        self.code = code
        self.desc = meaning(code) if desc is None else desc
        self.gateway = gateway
        super().__init__(f"{status} {code} {self.desc}")

    def answer(self) -> Answer:
        """Return it as an answer."""
        if self.gateway:
            return Answer(self.status, {"resultcode": self.code, "resultmsg": self.desc})
        return Answer(self.status, {"error_code": self.code, "error_desc": self.desc})


@dataclass(frozen=True, slots=True)
class Route:
    """One endpoint: its section in the reference, its path template, its rule, and what its guards have to know.

    If `guarded`, the call needs a token. `app_field` is the query field that may name another application.
    `app_status` is the status of the refusal if the caller may not act for that application. `removed_app` is the
    documented refusal if the caller's own application has been removed.
    """

    section: str
    method: str
    template: str
    rule: Rule
    guarded: bool = True
    app_field: str = "appId"
    app_status: int = 403
    removed_app: CodeAt = (500, "100203")


@dataclass(slots=True)
class Call:
    """A request on its way to its rule: the route is known, and after the guards the applications too.

    `caller` is the application that has the token. `app_id` is the application that the call acts for: another one if
    the query names one that has authorised the caller. `ids` are the path's values in the template's order.
    """

    request: Request
    route: Route
    ids: list[str]
    caller: str = ""
    app_id: str = ""

    @property
    def query(self) -> Mapping[str, str]:
        """The query's fields, decoded."""
        return self.request.query

    @property
    def body(self) -> Any:
        """The JSON body, None or MALFORMED. Read it with a Shape."""
        return self.request.body
