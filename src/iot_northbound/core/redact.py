"""Removes secrets from text before it reaches a log or an exception.

A secret is found by the name before it (`"psk": …`), or by its value if that is known. Both are searched in every
notation that the text may have: JSON, JSON as text within JSON, forms, headers, XML, percent-encoded, HTML.
"""

import base64
import json
import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any, cast


class _Lazy:
    """A regular expression that is compiled at its first use, because that takes longer than an import should."""

    def __init__(self, text: str, flags: int) -> None:
        self._text, self._flags = text, flags

    def __getattr__(self, name: str) -> Any:
        method = getattr(re.compile(self._text, self._flags), name)
        setattr(self, name, method)
        return method


def _pattern(text: str, flags: int = 0) -> "re.Pattern[str]":
    return cast("re.Pattern[str]", _Lazy(text, flags))


MASK = "***"
_SHORTEST = 4
"""The shortest known value that is removed, in characters. Shorter ones would also remove parts of other words."""

_NAMES = (
    r"tokens?|secrets?|psks?|pwds?|verif(?:y|ication)[ _-]?codes?|passw(?:or)?ds?|pass[ _-]?(?:phrases?|codes?)"
    r"|authorization|credentials?|cookies?"
    r"|(?:private|api|access|secret|shared|security|encryption|session|device)[ _-]?keys?"
)
_QUOTE = r"""["']|&quot;|&apos;|&#0?3[49];|&#x0?2[27];|%2[27]"""
_BLANKS = r"(?:\s|%20)*"
_ESCAPES = r"(?:\\*|(?:%5C)*)"
_FORMS = r"(?:[ _-]?(?:values?|data|hex|hash|pem|der|base64|b64|texts?|str(?:ing)?|bytes?|plain|raw|content)){0,2}"
_NAME_END = (
    rf"(?P<quote>(?P<escapes>{_ESCAPES})(?P<mark>{_QUOTE}))?{_BLANKS}(?P<parted>=>|[:=]|%3[AD])(?P<gap>{_BLANKS})"
)
# The end of a name with its quotes, the separator before the value, and the scheme if it is a header.
_NAMED = _pattern(
    rf"(?:{_NAMES}){_FORMS}\d*{_NAME_END}(?:(?:bearer|basic|digest|negotiate)(?:\s|%20|\+)+)?", re.IGNORECASE
)
# A field that gives the name of the value next to it, as in {"name": "psk", "value": …}, and that value's own name.
_LABEL = _pattern(
    rf"(?:name|key|field|param(?:eter)?|attribute|property|label|id|type|kind)(?:{_ESCAPES}(?:{_QUOTE}))?{_BLANKS}"
    rf"(?:=>|[:=]|%3[AD]){_BLANKS}(?:{_ESCAPES}(?:{_QUOTE}))?[\w .:-]{{0,64}}?(?:{_NAMES}){_FORMS}\d*(?![\w.:-])",
    re.IGNORECASE,
)
_LABELLED = _pattern(rf"(?:value|val|content|data|text|raw|hex){_NAME_END}", re.IGNORECASE)
_NEAR = 300
"""Characters before and after a label in which its value is looked for."""
_EDGE = _pattern(r"[{}<>]|%7[BD]|%3[CE]|&[lg]t;", re.IGNORECASE)
_QUOTED = _pattern(rf"(?P<escapes>\\*|(?:%5C)*)(?P<mark>{_QUOTE})", re.IGNORECASE)
_MARK = _pattern(_QUOTE, re.IGNORECASE)
_OPEN = _pattern(r"[{\[]|%7B|%5B", re.IGNORECASE)
_PART = _pattern(rf"{_QUOTE}|[{{}}\[\]]|%[57][BD]", re.IGNORECASE)
_NOTHING = _pattern(r"(?:null|none|true|false)(?![\w.+/-])", re.IGNORECASE)
_BARE = _pattern(r"[^\s,;&\"'<>}\]\\]*")
_LESS, _MORE = r"(?:<|&lt;|%3C|\\{1,16}u003c)", r"(?:>|&gt;|%3E|\\{1,16}u003e)"
_TAG = _pattern(
    rf"{_LESS}(?P<tag>(?:[\w:.-]|%3A){{1,128}})(?P<attributes>(?:\s|%20|\+)(?:(?!{_LESS}|{_MORE}).)*)?{_MORE}",
    re.IGNORECASE | re.DOTALL,
)
_SECRET_NAME = _pattern(rf"(?:{_NAMES}){_FORMS}\d*$", re.IGNORECASE)
_LINE = r"(?:\r?\n|(?:\\{1,8}r)?\\{1,8}n|(?:%0D)?%0A)"
_LINE_END = _pattern(_LINE, re.IGNORECASE)
_INDENT = _pattern(r"(?:[ \t]|%20)*", re.IGNORECASE)
_REST_OF_LINE = _pattern(
    rf"(?:[ \t]|%20)*(?:(?:[|>]|&gt;|%7C|%3E|\\{{1,16}}u003e)[+-]?\d?(?:[ \t]|%20)*)?(?={_LINE})", re.IGNORECASE
)
_LETTER = _pattern(
    r"(?:\\{1,16}|(?:%5C){1,16})u00(?P<unicode>[0-9a-f]{2})|%(?:25){0,8}(?P<percent>[0-9a-f]{2})"
    r"|(?:&(?:amp;)?|%26)(?:#|%23)(?P<html>x[0-9a-f]{1,9}|\d{1,9})(?:;|%3B)",
    re.IGNORECASE,
)
_SCHEME = _pattern(r"\b(bearer(?:\s|%20|\+)+)[\w.~+/=-]+|\b(basic(?:\s|%20|\+)+)[\w+/=-]{8,}", re.IGNORECASE)
_INVISIBLE = _pattern(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff]")


def redact(text: str, secrets: tuple[str, ...] = ()) -> str:
    """Return the text without the given secrets, credentials in headers, and values whose name sounds secret.

    An object or a list is removed as a whole. A value that is cut off is removed up to the end of the text.
    """
    text = _LETTER.sub(_letter, text)
    text = "".join(_without_elements(text))
    text = "".join(_without_named(text))
    text = _SCHEME.sub(lambda found: f"{found[1] or found[2]}{MASK}", text)
    # The longest first: one secret may be the beginning of another.
    for secret in sorted({each for each in secrets if len(each) >= _SHORTEST}, key=len, reverse=True):
        text = _forms_of(secret).sub(MASK, text)
    return text


def one_line(text: str) -> str:
    """Return the text with line breaks and other invisible characters escaped, so that a log entry stays one line."""
    return _INVISIBLE.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


# -- by name -----------------------------------------------------------------------------------------------------------


def _letter(found: "re.Match[str]") -> str:
    """Return an escaped letter or digit as itself, because it may be part of a name; anything else as it is."""
    html = found["html"]
    number = int(found["unicode"] or found["percent"] or html[1:], 16) if not html or html[0] in "xX" else int(html)
    letter = chr(number) if number < 128 else ""
    return letter if letter.isalnum() else found[0]


def _without_elements(text: str) -> Iterator[str]:
    """Yield the text without the contents and attributes of XML elements that have a secret-looking name or label."""
    done = 0
    for tag in _TAG.finditer(text):
        attributes = tag["attributes"] or ""
        named = _SECRET_NAME.search(tag["tag"])
        if tag.start() < done or not (named or _LABEL.search(attributes)):
            continue
        shown = (
            f"{tag[0][: tag.start('attributes') - tag.start()]} {MASK}" if named and attributes.strip(" /") else None
        )
        yield text[done : tag.start()]
        if shown is None:
            yield tag[0]
        else:
            yield shown + tag[0][tag.end("attributes") - tag.start() :]
        done = tag.end()
        if not attributes.endswith("/"):
            end = _end_of_element(text, tag)
            if end > done:
                yield MASK
            done = end
    yield text[done:]


def _end_of_element(text: str, tag: "re.Match[str]") -> int:
    """Return where an element's content ends: at its own end tag, or at the text's end if it has no end tag."""
    level = 1
    same = re.compile(rf"{_LESS}(?P<end>/|%2F)?{re.escape(tag['tag'])}(?![\w:.-])", re.IGNORECASE)
    for each in same.finditer(text, tag.end()):
        level += -1 if each["end"] else 1
        if level == 0:
            return each.start()
    return len(text)


def _named(text: str) -> "list[re.Match[str]]":
    """Return where the names of secrets are, or the name of a value that the label next to it marks as a secret."""
    found = [*_NAMED.finditer(text)]
    looked = 0
    for label in _LABEL.finditer(text):
        start = max(looked, label.start() - _NEAR)
        edges = [each.end() for each in _EDGE.finditer(text, start, label.start())]
        edge = _EDGE.search(text, label.end(), label.end() + _NEAR)
        looked = max(looked, edge.start() if edge else min(label.end() + _NEAR, len(text)))
        found += _LABELLED.finditer(text, edges[-1] if edges else start, looked)
    return sorted(found, key=lambda each: each.start())


def _without_named(text: str) -> Iterator[str]:
    done = 0
    for named in _named(text):
        if named.start() < done:
            continue  # within a value that is already masked
        start, quote = named.end(), named["quote"] or ""
        value = _QUOTED.match(text, start)
        if value is not None:
            end, closed = max(_end_of_text(text, value.end(), value["mark"], _depth(value), rule) for rule in _RULES)
            yield f"{text[done:start]}{value[0]}{MASK}{value[0] if closed else ''}"
        elif _NOTHING.match(text, start):
            continue
        else:
            end = _end_of_value(text, named)
            if end == start:
                continue
            yield f"{text[done:start]}{quote}{MASK}{quote}"
        done = end
    yield text[done:]


def _end_of_value(text: str, named: "re.Match[str]") -> int:
    """Return where a value ends that is not text in quotes: an object, a list, a number, lines of their own."""
    start = named.end()
    if _OPEN.match(text, start):
        inner = named if named["quote"] else _QUOTED.search(text, start)
        mark, depth = (inner["mark"], _depth(inner)) if inner else ('"', 0)
        return max(_end_of_group(text, start, mark, depth, rule) for rule in _RULES)
    found = _BARE.match(text, start)
    return max(found.end() if found else start, _end_of_lines(text, named))


def _end_of_lines(text: str, named: "re.Match[str]") -> int:
    """Return where a value ends that has lines of its own, as in YAML: with the last line that is indented more."""
    first = _REST_OF_LINE.match(text, named.start("gap"))
    end = named.end()
    if named["parted"].upper() not in (":", "%3A") or first is None:
        return end
    margin = _width(text, max(_behind(text, each, named.start()) for each in ("\n", "\\n", "%0A", "%0a")))
    line = _LINE_END.match(text, first.end())
    while line is not None:
        following = _LINE_END.search(text, line.end())
        stop = following.start() if following else len(text)
        words = text[line.end() : stop].replace("%20", " ").strip()
        width = _width(text, line.end())
        if words and width <= margin and not (width == margin and words[0] == "-"):
            break
        end = stop if words else end
        line = following
    return end


def _behind(text: str, mark: str, end: int) -> int:
    """Return where the last such mark before `end` ends, if it is near; else where it would be too far."""
    start = max(end - _NEAR, 0)
    found = text.rfind(mark, start, end)
    return found + len(mark) if found >= 0 else start


def _width(text: str, at: int) -> int:
    indent = _INDENT.match(text, at)
    return len(indent[0].replace("%20", " ")) if indent else 0


def _depth(quoted: "re.Match[str]") -> int:
    """Return how often a quote is escaped: once in JSON that is a text within JSON."""
    escapes = quoted["escapes"] or ""
    return len(escapes) // (3 if escapes[:1] == "%" else 1)


def _escapes_before(text: str, at: int, start: int) -> int:
    count, encoded = 0, text.startswith("%", at)
    while at > start and text[at - 1] == "\\":
        at, count = at - 1, count + 1
    # A quote that is not encoded itself is not escaped by an encoded backslash: that is a part of the text.
    while encoded and at - 3 >= start and text[at - 3 : at].upper() == "%5C":
        at, count = at - 3, count + 1
    return count


# The meaning of a quote with a number of escapes before it, in a text whose own quotes have `depth` escapes: whether
# the text continues after it, and if not, whether this is its own end. JSON's rule comes first, then the rule of a repr
# or a log, in which the escapes are doubled. If one of the rules says that something is a part of the value, it is
# masked.
_Rule = Callable[[int, int], tuple[bool, bool]]
_RULES: tuple[_Rule, ...] = (
    lambda escapes, depth: (escapes % (2 * depth + 2) == 2 * depth + 1, escapes % (2 * depth + 2) == depth),
    lambda escapes, depth: (escapes > depth, escapes == depth),
)


def _end_of_text(text: str, start: int, mark: str, depth: int, rule: _Rule) -> tuple[int, bool]:
    """Return where the text in quotes that begins at `start` ends, and whether its own quote ends it.

    If not, the quote of the text around it or the end of the text cuts it off.
    """
    for found in _MARK.finditer(text, start):
        if found[0].lower() != mark.lower():
            continue
        goes_on, is_end = rule(_escapes_before(text, found.start(), start), depth)
        if not goes_on:
            return (found.end(), True) if is_end else (found.start(), False)
    return len(text), False


def _end_of_group(text: str, start: int, mark: str, depth: int, rule: _Rule) -> int:
    """Return where the object or list that begins at `start` ends. Brackets in quotes do not count."""
    level = 0
    at = start
    while (part := _PART.search(text, at)) is not None:
        at = part.end()
        if part[0] in ("{", "[") or part[0].upper() in ("%7B", "%5B"):
            level += 1
        elif part[0] in ("}", "]") or part[0].upper() in ("%7D", "%5D"):
            level -= 1
            if level == 0:
                return at
        elif part[0].lower() == mark.lower():
            if _escapes_before(text, part.start(), start) < depth:
                return part.start()
            at, _ = _end_of_text(text, at, mark, depth, rule)
    return len(text)


# -- by value ----------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=128)
def _forms_of(secret: str) -> "re.Pattern[str]":
    """Return a pattern that finds a secret as it is, percent-encoded, in JSON, in HTML, and in base64."""
    raw = secret.encode("utf-8", "surrogatepass")
    coded = {each.decode().rstrip("=") for each in (base64.b64encode(raw), base64.urlsafe_b64encode(raw))}
    return re.compile("|".join(["".join(map(_forms_of_character, secret)), *map(re.escape, sorted(coded))]))


def _forms_of_character(character: str) -> str:
    if character.isascii() and (character.isalnum() or character in "-_."):
        return character if character.isalnum() else re.escape(character)
    escaped = r"\\{1,8}" if character == "\\" else rf"\\{{0,8}}{re.escape(character)}"
    number = ord(character)
    forms = [
        escaped,
        "".join(rf"%(?:25){{0,3}}(?i:{byte:02x})" for byte in character.encode("utf-8", "surrogatepass")),
        "".join(rf"\\{{1,8}}(?i:{unit})" for unit in _json_units(character)),
        rf"&#0{{0,4}}{number};",
        rf"&#[xX]0{{0,4}}(?i:{number:x});",
    ]
    if named := {"&": "amp", "<": "lt", ">": "gt", '"': "quot", "'": "apos"}.get(character):
        forms.append(f"&{named};")
    if character == " ":
        forms.append(r"\+")
    return f"(?:{'|'.join(forms)})"


def _json_units(character: str) -> list[str]:
    units = character.encode("utf-16-be", "surrogatepass").hex()
    long = [f"u{units[at : at + 4]}" for at in range(0, len(units), 4)]
    short = json.dumps(character)[1:-1]
    return [f"(?:{long[0]}|{short[1]})"] if short[0] == "\\" and len(short) == 2 and short[1].isalpha() else long
