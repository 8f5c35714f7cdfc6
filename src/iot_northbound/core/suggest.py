"""Suggestions for mistyped names."""

from collections.abc import Sequence
from difflib import get_close_matches


def did_you_mean(text: str, known: Sequence[str]) -> str:
    """Return the end of a sentence that suggests similar names; empty if no name is similar."""
    similar = get_close_matches(text, known)
    return f"; did you mean {' or '.join(similar)}?" if similar else ""
