"""The facts of the API with which tests compare the package: names, types, limits, statuses, codes.

They are in data/northbound_facts.json, taken once from the reference, without its prose. Mistakes of the reference
that would mislead a test are corrected there: the notify type of section 2.3.5.5, ``serviceDesireds`` in 1.4.8,
``accessAppId`` in 1.9.6.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FACTS: dict[str, Any] = json.loads((Path(__file__).parent / "data" / "northbound_facts.json").read_text("utf-8"))
ENDPOINTS: list[dict[str, Any]] = FACTS["endpoints"]
BY_SECTION: dict[str, dict[str, Any]] = {each["rest_section"]: each for each in ENDPOINTS}
NOTIFICATIONS: list[dict[str, Any]] = FACTS["notifications"]
ERROR_CODES: dict[str, dict[str, Any]] = FACTS["error_codes"]

NOT_CLASSES = {"ObjectNode", "param"}
"""Names that the reference gives to free JSON; they have no class."""
_SPELLED = {"deviceDataHistoryDTOs": "device_data_history_dtos", "callbackurl": "callback_url"}


def snake(name: str) -> str:
    """Return the package's spelling of a name of the reference."""
    if name in _SPELLED:
        return _SPELLED[name]
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name).lower()


def structures() -> Iterator[tuple[str, str, list[dict[str, Any]]]]:
    """Yield each structure of the Java chapter: its name, "request", "response" or "push", and its fields."""
    for endpoint in ENDPOINTS:
        for side in ("request", "response"):
            for name, fields in endpoint.get(f"java_{side}", {}).get("structures", {}).items():
                if name not in NOT_CLASSES:
                    yield name, side, fields
    for notification in NOTIFICATIONS:
        if notification["handler"]:
            for name, fields in notification.get("structures", {}).items():
                yield name, "push", fields
