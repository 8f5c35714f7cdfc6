"""Secrets taken out of text before it reaches a log or an exception."""

import json
import re
from urllib.parse import quote

MASK = "***"
_SHORTEST = 4
"""Characters; shorter values would take apart words that are no secret."""
_KEYS = r"\w{0,20}(?:token|secret|psk|verify_?code|password|authorization)"
_IN_JSON = re.compile(rf'("{_KEYS}"\s*:\s*)("(?:[^"\\]|\\.)*"?|[^\s,}}\]]+)', re.IGNORECASE)
_IN_QUOTED_JSON = re.compile(rf'(\\"{_KEYS}\\"\s*:\s*)\\"(?:[^"\\]|\\[^"])*(?:\\")?', re.IGNORECASE)
_IN_FORM = re.compile(rf"\b({_KEYS})=[^&\s\"'<>]*", re.IGNORECASE)
_INVISIBLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff]")
_BEARER = re.compile(r"\b(bearer\s+)[\w.~+/=-]+", re.IGNORECASE)


def redact(text: str, secrets: tuple[str, ...] = ()) -> str:
    """Return the text without the values of secret-looking keys, bearer tokens and the given secrets."""
    text = _IN_JSON.sub(rf'\1"{MASK}"', text)
    text = _IN_QUOTED_JSON.sub(rf'\1\\"{MASK}\\"', text)
    text = _IN_FORM.sub(rf"\1={MASK}", text)
    text = _BEARER.sub(rf"\1{MASK}", text)
    # The longest first: one secret may be the beginning of another.
    for secret in sorted({form for each in secrets for form in _forms(each)}, key=len, reverse=True):
        text = text.replace(secret, MASK)
    return text


def one_line(text: str) -> str:
    """Return the text with line breaks and other invisible characters escaped, so that a log line stays one."""
    return _INVISIBLE.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def _forms(secret: str) -> set[str]:
    """Return a secret as itself, as JSON and as a form would write it."""
    if len(secret) < _SHORTEST:
        return set()
    return {secret, json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1], _quoted(secret)}


def _quoted(secret: str) -> str:
    return quote(secret, safe="", errors="replace")
