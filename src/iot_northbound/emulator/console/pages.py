"""The pages: which snapshot and which template each has, and how they become HTML.

A block of a template whose name begins with `live_` is a region: it is rendered by itself when its data change, and a
page that is open gets it by server-sent events.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlencode

from iot_northbound._extras import needs_extra
from iot_northbound.emulator.console.charts import HEIGHT, WIDTH
from iot_northbound.emulator.console.forms import shown
from iot_northbound.emulator.console.reading import Data, Query, Reading

with needs_extra("emulator"):
    from jinja2 import Environment, PackageLoader, StrictUndefined, Template
    from markupsafe import Markup

_LIVE = "live_"
CLOCK = "live_clock"
"""The region that every page has."""
MOST_TEXT = 2_000
"""How much of a JSON value a page shows."""


@dataclass(frozen=True)
class Page:
    """One page."""

    name: str
    title: str
    read: Callable[[Reading, Query], Data]
    in_menu: bool = True


PAGES: Mapping[str, Page] = {
    page.name: page
    for page in (
        Page("overview", "Overview", Reading.overview),
        Page("devices", "Devices", Reading.devices),
        Page("device", "Device", Reading.device, in_menu=False),
        Page("data", "Data", Reading.data),
        Page("commands", "Commands", Reading.commands),
        Page("pushes", "Pushes", Reading.pushes),
        Page("journal", "Journal", Reading.journal),
        Page("mqtt", "MQTT", Reading.mqtt),
        Page("control", "Control", Reading.control),
        Page("settings", "Settings", Reading.settings),
    )
}


class Rendering:
    """Renders pages. It may be used from any thread."""

    def __init__(self) -> None:
        self._environment = Environment(
            loader=PackageLoader("iot_northbound.emulator.console"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._environment.filters |= {
            "when": when,
            "iso": iso,
            "json": json_text,
            "number": number,
            "setting": shown,
            "sentence": sentence,
            "prose": prose,
        }
        self._environment.globals |= {"chart_size": (WIDTH, HEIGHT), "link": link}
        self._environment.globals["ui"] = self._environment.get_template("ui.html").module

    def page(self, template: str, values: Mapping[str, Any]) -> bytes:
        """Return a whole page."""
        menu = [page for page in PAGES.values() if page.in_menu]
        return self._template(template).render({"menu": menu, **values}).encode("utf-8", "replace")

    def regions(self, template: str, values: Mapping[str, Any]) -> dict[str, str]:
        """Return the HTML of each region of a page, by name."""
        found = self._template(template)
        context = found.new_context(dict(values))
        return {name: "".join(block(context)) for name, block in found.blocks.items() if name.startswith(_LIVE)}

    def clock(self, values: Mapping[str, Any]) -> dict[str, str]:
        """Return the region of the clock."""
        return self.regions("base.html", values)

    def _template(self, name: str) -> Template:
        return self._environment.get_template(name)


def link(name: str, /, *parts: str, **query: Any) -> str:
    """Return the address of a page."""
    path = "/".join(quote(part, safe="") for part in (name, *parts))
    text = urlencode({key: value for key, value in query.items() if value not in (None, "")})
    return f"/console/{path}{'?' if text else ''}{text}"


def iso(at: float) -> str:
    """Return an epoch time as ISO 8601, to the millisecond."""
    try:
        return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    except (ValueError, OverflowError, OSError):
        return "?"


def when(at: float) -> str:
    """Return an epoch time as people read it: the date, and the time of day in UTC."""
    return iso(at)[:19].replace("T", " ")


def prose(text: str) -> Markup:
    """Return a text of the documentation as HTML: what is between backquotes is code."""
    parts = (Markup("<code>{}</code>" if odd % 2 else "{}").format(part) for odd, part in enumerate(text.split("`")))
    return Markup("").join(parts)


def sentence(text: str) -> str:
    """Return a text that begins like a sentence and ends like one."""
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith(('.', '?', '!')) else '.'}"


def json_text(value: Any) -> str:
    """Return a value as JSON, cut if it is long."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= MOST_TEXT else f"{text[:MOST_TEXT]} … ({len(text):,} characters)"


def number(value: float) -> str:
    """Return a number as people read it."""
    return f"{value:,}" if isinstance(value, int) and abs(value) < 10**15 else f"{value:.6g}"
