"""Documented answers and errors without a server, through the library `responses`.

::

    @responses.activate
    def test_a_meter_is_registered():
        register(DeviceManagement.reg_direct_device, deviceId="meter-7")
        with offline_client() as client:
            assert my_function(client) == "meter-7"

The client is a real one: it encodes, checks, repeats and reads as always; only the network is replaced. A call that was
registered several times gets one answer after the other, and the last one from then on. One that was not registered
fails as if the connection was refused, and a note at the error says so.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

import attrs

from iot_northbound._extras import needs_extra
from iot_northbound.client import NorthApiClient
from iot_northbound.config import ClientInfo, HttpConfig
from iot_northbound.core import wire
from iot_northbound.core.fields import specs
from iot_northbound.core.suggest import did_you_mean
from iot_northbound.error_codes import explain
from iot_northbound.errors import ConnectionFailedError, InvalidArgumentError
from iot_northbound.testing.documented import AnyCall, Documented, find

with needs_extra("testing"):
    import responses

if TYPE_CHECKING:
    from responses import BaseResponse, RequestsMock

    from iot_northbound.core.endpoint import Endpoint

T = TypeVar("T")
HOST = "platform.example"
"""Where the platform of `offline_client` would be."""
_GATEWAY = frozenset({"1010005", "1010009"})
"""The codes of the gateway in front of the platform, which has a form of error of its own."""


def register(
    call: AnyCall,
    answer: Any = ...,
    *,
    ids: Mapping[str, str] | None = None,
    status: int | None = None,
    mock: RequestsMock | None = None,
    **changes: Any,
) -> BaseResponse:
    """Let a call be answered as documented, and return what counts how often it was (`call_count`).

    Args:
        call: A method of a service (``DeviceManagement.reg_direct_device``), its name, or the section of the reference.
        answer: Another answer: a DTO of the call's result, or JSON. By default it is the documented one; what it
            contains can be seen with ``factories.make``.
        ids: Only for these ids in the path: ``{"device_id": "meter-7"}``.
        status: Another status than the documented one.
        mock: Where to register it; by default the one that ``responses.activate`` uses.
        changes: Fields of the documented answer to replace, by their wire names: ``deviceId="meter-7"``.

    Raises:
        InvalidArgumentError: There is no such call, the call has no such id, or its answer no such field (1007).
    """
    known = find(call)
    if answer is ...:
        answer = _changed(known, changes)
    elif changes:
        raise InvalidArgumentError.of("answer", type(answer).__name__, "give an answer or changes, not both")
    elif attrs.has(type(answer)):
        answer = wire.to_json(answer)
    return _add(known, ids, known.status if status is None else status, answer, mock)


def error(
    call: AnyCall,
    code: str,
    *,
    ids: Mapping[str, str] | None = None,
    status: int | None = None,
    mock: RequestsMock | None = None,
) -> BaseResponse:
    """Let a call be refused with a code, and return what counts how often it was (`call_count`).

    Args:
        call: As for `register`.
        code: A code that the reference lists for this call. With a `status` any code may be given.
        ids: As for `register`.
        status: The HTTP status; the documented one by default.
        mock: As for `register`.

    Raises:
        InvalidArgumentError: There is no such call, or the reference does not list the code for it (1007).
    """
    known = find(call)
    if status is None and code not in known.errors:
        rule = f"{known.call.name} is not documented to answer it (its codes: {', '.join(sorted(known.errors))})"
        raise InvalidArgumentError.of("code", repr(code), f"{rule}; with a status any code may be given")
    explained = explain(code)
    meaning = "" if explained is None else explained.meaning
    names = ("resultcode", "resultmsg") if code in _GATEWAY else ("error_code", "error_desc")
    body = dict(zip(names, (code, meaning), strict=True))
    return _add(known, ids, known.errors[code] if status is None else status, body, mock)


def offline_client(
    http: HttpConfig | None = None, *, mock: RequestsMock | None = None, **options: Any
) -> NorthApiClient:
    """Return a client of a platform that does not exist, and register the answer to its login.

    Args:
        http: Its limits; by default it never waits between two attempts.
        mock: As for `register`.
        options: Those of `NorthApiClient`.
    """
    register("get_auth_token", mock=mock)
    register("refresh_auth_token", mock=mock)
    info = ClientInfo(platform_ip=HOST, platform_port=443, app_id="application-1", secret="secret-of-the-tests")  # noqa: S106 - of no platform
    client = _OfflineClient(info, None, http or HttpConfig(backoff_base=0.0), **options)
    client.mock = mock
    return client


class _OfflineClient(NorthApiClient):
    """A client that says so if no answer is registered for a call."""

    mock: RequestsMock | None = None

    def call(self, endpoint: Endpoint[T], ids: Mapping[str, str], **given: Any) -> T:
        try:
            return super().call(endpoint, ids, **given)
        except ConnectionFailedError as error:
            seen = (self.mock or responses.mock).calls
            if seen and str(seen[-1].response).startswith("Connection refused by Responses"):
                error.add_note(f"No answer is registered for {endpoint.method} {endpoint.path}: call `register` first.")
            raise


def _add(
    known: Documented, ids: Mapping[str, str] | None, status: int, answer: Any, mock: RequestsMock | None
) -> BaseResponse:
    endpoint, wanted = known.call.endpoint, dict(ids or {})
    for name in wanted.keys() - {*endpoint.places}:
        rule = f"the path of {known.call.name} has no such place{did_you_mean(name, list(endpoint.places))}"
        raise InvalidArgumentError.of("ids", name, rule)
    places = {
        place: re.escape(quote(wanted[place], safe="")) if place in wanted else "[^/?]+" for place in endpoint.places
    }
    parts = re.split(r"{(\w+)}", endpoint.path)
    path = "".join(places[part] if number % 2 else re.escape(part) for number, part in enumerate(parts))
    content = {} if answer is None else {"json": answer}
    url = re.compile(rf"^https://[^/]+{path}(\?.*)?$")
    return (responses.mock if mock is None else mock).add(endpoint.method, url, status=status, **content)


def _changed(known: Documented, changes: Mapping[str, Any]) -> Any:
    if not changes:
        return copy.deepcopy(known.answer)
    fields = specs(known.call.result) if known.answer is not None else {}
    names = {name: spec.wire for name, spec in fields.items()}
    for name in changes.keys() - {*names.values(), *(known.answer or {})}:
        hint = f"; did you mean {names[name]}?" if name in names else did_you_mean(name, sorted(names.values()))
        raise InvalidArgumentError.of(name, repr(changes[name]), f"the answer has no such field{hint}")
    return {**copy.deepcopy(known.answer), **changes}


__all__ = ["HOST", "error", "offline_client", "register"]
