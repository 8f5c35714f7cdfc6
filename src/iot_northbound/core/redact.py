"""Secrets taken out of text before it reaches a log or an exception."""

import re

MASK = "***"
_KEYS = r"access_?token|refresh_?token|secret|psk|verify_?code|password|authorization"
_IN_JSON = re.compile(rf'("(?:{_KEYS})"\s*:\s*)("(?:[^"\\]|\\.)*"?|[^\s,}}\]]+)', re.IGNORECASE)
_IN_FORM = re.compile(rf"\b({_KEYS})=[^&\s\"'<>]*", re.IGNORECASE)
_BEARER = re.compile(r"\b(bearer\s+)[\w.~+/=-]+", re.IGNORECASE)


def redact(text: str, secrets: tuple[str, ...] = ()) -> str:
    """Return the text without the values of secret-looking keys, bearer tokens and the given secrets."""
    text = _IN_JSON.sub(rf'\1"{MASK}"', text)
    text = _IN_FORM.sub(rf"\1={MASK}", text)
    text = _BEARER.sub(rf"\1{MASK}", text)
    for secret in secrets:
        if len(secret) >= 4:
            text = text.replace(secret, MASK)
    return text
