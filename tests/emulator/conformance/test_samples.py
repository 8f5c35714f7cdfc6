"""The reference's own samples: each is accepted as a request, and an answer has its keys and types.

`data/samples.json` holds their shapes: "any" is a value that the reference masks or elides, "null" for one it
shows as null. Slips are corrected there: 1.7.5 and 1.7.6 tear one command apart by a misplaced brace; 1.8.2 shows the
`param` of a task of another kind; 1.9.1 says "201 OK" where its table says 200; 1.10.7 has `date` for `data`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.facts import ENDPOINTS

from .requests_of import REQUESTS
from .world import World

SAMPLES: dict[str, Any] = json.loads((Path(__file__).parents[2] / "data" / "samples.json").read_text("utf-8"))
CALLS = [pytest.param(each, id=each["rest_section"]) for each in ENDPOINTS]

_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "number": (int, float),
    "boolean": (bool,),
    "object": (dict,),
}


def departures(shape: Any, value: Any, path: str = "") -> Iterator[str]:
    """Yield the paths at which a value differs from a sample's shape. Null is allowed everywhere."""
    if shape == "any" or value is None:
        return
    if isinstance(shape, dict):
        if not isinstance(value, dict):
            yield path
            return
        for name, inner in shape.items():
            if name not in value:
                yield f"{path}.{name}".lstrip(".")
            else:
                yield from departures(inner, value[name], f"{path}.{name}".lstrip("."))
    elif isinstance(shape, list):
        if not isinstance(value, list):
            yield path
            return
        for item in value:
            yield from departures(shape[0], item, path)
    elif shape != "null" and (not isinstance(value, _TYPES[shape]) or (isinstance(value, bool) and shape != "boolean")):
        yield path


def picked(shape: Any, value: Any) -> Any:
    """Return the part of a request that a sample shows."""
    if isinstance(shape, dict):
        return {name: picked(inner, value[name]) for name, inner in shape.items()}
    if isinstance(shape, list):
        return [picked(shape[0], item) for item in value]
    return value


def test_every_endpoint_and_every_push_has_a_sample() -> None:
    assert {each["rest_section"] for each in ENDPOINTS} | {f"1.6.7.{n}" for n in range(1, 19)} == set(SAMPLES)


@pytest.mark.parametrize("endpoint", CALLS)
def test_a_samples_request_is_accepted_and_its_answers_shape_holds(endpoint: dict[str, Any], world: World) -> None:
    section = endpoint["rest_section"]
    sample = SAMPLES[section]
    request = REQUESTS[section](world)
    # The reference's URL of 1.10.1 spells manufacturerName so.
    if "manufactureName" in sample.get("query", ()):
        request.query["manufactureName"] = request.query["manufacturerName"]
    request.query = {name: request.query[name] for name in sample.get("query", ())}
    if request.form is not None:
        assert set(request.form) == set(sample["form"])
    else:
        assert list(departures(sample.get("body", {}), request.body or {})) == []
        request.body = picked(sample["body"], request.body) if "body" in sample else None
    reply = world.call(endpoint["http_method"], endpoint["path"], request)
    assert (reply.status, reply.error) == (sample["status"], None), reply
    if "answer" not in sample:
        assert reply.value is None
        return
    assert list(departures(sample["answer"], reply.value)) == []
