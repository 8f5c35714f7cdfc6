"""Limits of values, written in annotations: `Annotated[int, Range(1, 5)]`. The control plane checks them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Range:
    """A number from low to high, both included, but not this one."""

    low: float
    high: float
    but: float | None = None

    def keywords(self) -> dict[str, Any]:
        """Return the limit as JSON Schema says it."""
        excluded = {} if self.but is None else {"not": {"const": self.but}}
        return {"minimum": self.low, "maximum": self.high, **excluded}


@dataclass(frozen=True, slots=True)
class Length:
    """A string of low to high characters."""

    low: int
    high: int

    def keywords(self) -> dict[str, Any]:
        """Return the limit as JSON Schema says it."""
        return {"minLength": self.low, "maxLength": self.high}


@dataclass(frozen=True, slots=True)
class Pattern:
    """A string that this regular expression finds something in."""

    text: str

    def keywords(self) -> dict[str, Any]:
        """Return the limit as JSON Schema says it."""
        return {"pattern": self.text}


@dataclass(frozen=True, slots=True)
class Names:
    """An object whose names match this regular expression."""

    pattern: str

    def keywords(self) -> dict[str, Any]:
        """Return the limit as JSON Schema says it."""
        return {"propertyNames": {"pattern": self.pattern}}


@dataclass(frozen=True, slots=True)
class OneOf:
    """One of these values."""

    values: tuple[str, ...]

    def keywords(self) -> dict[str, Any]:
        """Return the limit as JSON Schema says it."""
        return {"enum": list(self.values)}


@dataclass(frozen=True, slots=True)
class Items:
    """An array of low to high items; high None: any number more."""

    low: int
    high: int | None = None

    def keywords(self) -> dict[str, Any]:
        """Return the limit as JSON Schema says it."""
        return {"minItems": self.low} | ({} if self.high is None else {"maxItems": self.high})
