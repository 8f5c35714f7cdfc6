"""Write the tables of docs/errors.md from `iot_northbound.error_codes`: ``python docs/_generate.py``."""

import re
from pathlib import Path

from iot_northbound.error_codes import ERROR_CODES, SDK_CODES, ErrorCode
from iot_northbound.errors import BY_KIND

PAGE = Path(__file__).parent / "errors.md"


def platform_table() -> str:
    """Return the table of the platform's codes, by number."""
    rows = [
        "| code | HTTP | exception | meaning | likely cause | what to do |",
        "|---|---|---|---|---|---|",
    ]
    for known in sorted(ERROR_CODES.values(), key=lambda one: int(one.code)):
        statuses = ", ".join(map(str, known.statuses))
        rows.append(_row(known.code, statuses, f"`{BY_KIND[known.kind].__name__}`", *_texts(known)))
    return "\n".join(rows)


def sdk_table() -> str:
    """Return the table of the SDK's own codes."""
    rows = ["| code | meaning | likely cause | what to do |", "|---|---|---|---|"]
    rows += [_row(known.code, *_texts(known)) for known in SDK_CODES.values()]
    return "\n".join(rows)


def _texts(known: ErrorCode) -> tuple[str, str, str]:
    return known.meaning, known.cause, known.remedy


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


TABLES = {"platform codes": platform_table, "SDK codes": sdk_table}


def render(page: str) -> str:
    """Return the page with the tables between its markers made anew.

    Raises:
        ValueError: a pair of markers is missing.
    """
    for name, table in TABLES.items():
        marked = re.compile(rf"(<!-- begin {name} -->\n).*?(<!-- end {name} -->)", re.DOTALL)
        found = marked.search(page)
        if found is None:
            raise ValueError(f"{PAGE.name} has no pair of markers for {name!r}")
        page = f"{page[: found.start()]}{found[1]}\n{table()}\n\n{found[2]}{page[found.end() :]}"
    return page


if __name__ == "__main__":
    PAGE.write_text(render(PAGE.read_text("utf-8")), "utf-8")
