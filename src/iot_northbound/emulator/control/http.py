"""The control plane over HTTP: a table of operations, and the OpenAPI description made from the same table."""

from __future__ import annotations

import inspect
import logging
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote

from iot_northbound.emulator.control.base import NotFound
from iot_northbound.emulator.control.control import Control
from iot_northbound.emulator.control.guard import Headers, content_types, foreign, headers_of
from iot_northbound.emulator.control.operations import OPERATIONS, Operation
from iot_northbound.emulator.control.schema import InvalidArgument, check
from iot_northbound.emulator.json_bodies import Receive, Send, decode, encode, read_body
from iot_northbound.emulator.kernel.calls import MALFORMED

log = logging.getLogger("iot_northbound.emulator")

_WHOLE = re.compile(r"-?[0-9]{1,17}")
_NEEDS_JSON = (
    "a body must come with the header Content-Type: application/json, which no web page of another server can send "
    "unasked; with curl: -H 'Content-Type: application/json'"
)


class ControlApp:
    """Serves `Control` as JSON over HTTP, with its own description at /openapi.json."""

    def __init__(self, control: Control) -> None:
        self._control = control

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            return
        body = await read_body(receive)
        if body is None:
            return
        try:
            status, answer = await self._serve(scope, body)
        except Exception:
            log.exception("the control plane failed at %s %s", scope["method"], scope["path"])
            status, answer = 500, {"error": "internal error; the emulator's log says more"}
        content = b"" if answer is None else encode(answer)
        headers = [(b"content-length", str(len(content)).encode())] if status != 204 else []
        if content:
            headers.append((b"content-type", b"application/json"))
        if status == 405:
            headers.append((b"allow", ", ".join(sorted(_methods(scope["raw_path"].decode("latin-1")))).encode()))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    async def _serve(self, scope: dict[str, Any], body: bytes) -> tuple[int, Any]:
        if refusal := _refusal(headers_of(scope["headers"]), has_body=bool(body)):
            return refusal
        path = scope["raw_path"].decode("latin-1")
        if path == "/openapi.json" and scope["method"] == "GET":
            return 200, description()
        methods = _methods(path)
        if not methods:
            return 404, {"error": f"no operation at {path}; /openapi.json lists them"}
        if scope["method"] not in methods:
            return 405, {"error": f"{path} takes {', '.join(sorted(methods))}"}
        operation, ids = methods[scope["method"]]
        try:
            given = {**_query(operation, scope["query_string"]), **_body(operation, body)}
            if twice := sorted(given.keys() & ids.keys()):
                raise InvalidArgument(f"{twice[0]} is part of the path")
            result = await operation.call.on_loop(self._control, {**ids, **given})
        except NotFound as error:
            return 404, {"error": str(error)}
        except InvalidArgument as error:
            return 400, {"error": str(error)}
        return operation.status, None if operation.status == 204 else result


def _refusal(headers: Headers, *, has_body: bool) -> tuple[int, Any] | None:
    """Return the refusal of a request that a web page in a browser could have sent, or None."""
    if error := foreign(headers):
        return 403, {"error": error}
    if has_body and content_types(headers) != {"application/json"}:
        return 415, {"error": _NEEDS_JSON}
    return None


_TEMPLATES: dict[tuple[int, str], list[tuple[list[str], Operation]]] = {}
"""The operations by their paths' number of parts and first part, which is never a placeholder."""
for _one in OPERATIONS:
    _parts = _one.path.split("/")
    _TEMPLATES.setdefault((len(_parts), _parts[1]), []).append((_parts, _one))


def _methods(path: str) -> dict[str, tuple[Operation, dict[str, str]]]:
    found = {}
    parts = path.split("/")
    for names, one in _TEMPLATES.get((len(parts), parts[1] if len(parts) > 1 else ""), ()):
        ids: dict[str, str] = {}
        for name, part in zip(names, parts, strict=True):
            if name.startswith("{") and part:
                ids[name[1:-1]] = unquote(part)
            elif name != part:
                break
        else:
            found[one.method] = (one, ids)
    return found


def _query(operation: Operation, text: bytes) -> dict[str, Any]:
    given: dict[str, Any] = dict(parse_qsl(text.decode("latin-1"), keep_blank_values=True))
    if given and not operation.query:
        raise InvalidArgument("this operation takes no query")
    for name, value in given.items():
        kinds = operation.query.get(name, {}).get("type", ())
        if "integer" in ([kinds] if isinstance(kinds, str) else kinds) and _WHOLE.fullmatch(value):
            given[name] = int(value)
    return given


def _body(operation: Operation, body: bytes) -> dict[str, Any]:
    if not body:
        return {}
    value = decode(body)
    if value is MALFORMED:
        raise InvalidArgument("the body is not valid JSON")
    if operation.body is None:
        raise InvalidArgument("this operation takes no body")
    fields: dict[str, Any] = check(value, {"type": "object"})
    return fields


def description() -> dict[str, Any]:
    """Return the OpenAPI description of the control plane."""
    error = {"$ref": "#/components/schemas/Error"}
    paths: dict[str, dict[str, Any]] = {}
    for one in OPERATIONS:
        answers: dict[str, Any] = {str(one.status): {"description": "Done."}}
        if one.status != 204:
            answers[str(one.status)]["content"] = {"application/json": {"schema": one.answer}}
        answers["403"] = _error_answer("A web page sent it, or it calls this machine by another name.", error)
        if one.body is not None:
            answers["415"] = _error_answer("The body is not marked as application/json.", error)
        answers["400"] = _error_answer("An argument is wrong; the text says which and why.", error)
        if "{" in one.path or one.may_miss:
            answers["404"] = _error_answer("Something that is named does not exist.", error)
        described: dict[str, Any] = {
            "operationId": one.name,
            **_documented(inspect.getdoc(one.call) or ""),
            "parameters": [
                *[
                    {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
                    for name in one.ids
                ],
                *[{"name": name, "in": "query", "schema": schema} for name, schema in one.query.items()],
            ],
            "responses": answers,
        }
        if one.body is not None:
            described["requestBody"] = {
                "required": bool(one.body.get("required")),
                "content": {"application/json": {"schema": one.body}},
            }
        paths.setdefault(one.path, {})[one.method.lower()] = described
    return {
        "openapi": "3.1.0",
        "info": {"title": "iot-northbound emulator: control plane", "version": "1"},
        "paths": paths,
        "components": {
            "schemas": {"Error": {"type": "object", "properties": {"error": {"type": "string"}}, "required": ["error"]}}
        },
    }


def _documented(docstring: str) -> dict[str, str]:
    # The Python documentation of the arguments is true for the fields, which have the same names.
    summary, _, more = docstring.partition("\n")
    more = more.partition("\nRaises:")[0].replace("Args:", "Fields:").strip()
    return {"summary": summary, **({"description": more} if more else {})}


def _error_answer(text: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"description": text, "content": {"application/json": {"schema": schema}}}


__all__ = ["ControlApp", "description"]
