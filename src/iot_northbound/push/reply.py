"""The answers to the platform."""

from __future__ import annotations

from http import HTTPStatus

import attrs


@attrs.frozen
class Reply:
    """An answer, ready for any web framework.

    Attributes:
        status: HTTP status; only 200 means that the message is safe.
        text: a word or a sentence for a person who reads the log of the other side.
        headers: further headers; `all_headers` adds the content type and length.
    """

    status: int
    text: str
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def body(self) -> bytes:
        """The text as UTF-8."""
        return self.text.encode()

    @property
    def reason(self) -> str:
        """The phrase of the status."""
        return HTTPStatus(self.status).phrase

    @property
    def all_headers(self) -> list[tuple[str, str]]:
        """Every header of the answer, including content type and length."""
        length = str(len(self.body))
        return [("content-type", "text/plain; charset=utf-8"), ("content-length", length), *self.headers]


OK = Reply(200, "ok")
NOT_HERE = Reply(404, "no messages are received at this path")
NOT_ALLOWED = Reply(403, "this sender may not post here")
NO_PAGES = Reply(403, "web pages may not post here: the request has an Origin or Sec-Fetch-Site header")
ONLY_POST = Reply(405, "messages must be sent with POST", (("allow", "POST"),))


def not_a_message(why: str) -> Reply:
    """Return the refusal of a body that is not a message."""
    return Reply(400, why.encode("utf-8", "backslashreplace").decode())


def too_large(limit: int) -> Reply:
    """Return the refusal of a body that is too large."""
    return Reply(413, f"a message may have {limit} bytes at most")


def unknown_encoding(why: str) -> Reply:
    """Return the refusal of a Content-Encoding."""
    return Reply(
        415, f"{why}: send the body as gzip or deflate, or not encoded", (("accept-encoding", "gzip, deflate"),)
    )


def not_now(why: str) -> Reply:
    """Return the answer that makes the platform keep the message and send it again."""
    return Reply(503, why, (("retry-after", "30"),))
