"""What somebody who mistyped a name is likely to have meant."""

from collections.abc import Sequence
from difflib import get_close_matches


def did_you_mean(text: str, known: Sequence[str]) -> str:
    """Return the end of a sentence that names what comes near; empty where nothing does."""
    near = get_close_matches(text, known)
    return f"; did you mean {' or '.join(near)}?" if near else ""
