"""Where an answer ends: interim answers are skipped, lengths are checked, and leftover bytes are noticed.

http.client takes any status except 100 for the answer, uses the first of two lengths, and drops bytes that it has read
ahead. Each of these leaves bytes on a kept connection that the next call would take for its own answer.
"""

from http.client import HTTPException, HTTPResponse, parse_headers
from typing import Any

from iot_northbound.core.sockets import here

MAX_INTERIM = 100
"""How many interim answers (1xx) are skipped before the real one; with more, the call fails."""

LONGEST_LENGTH = 18
"""Digits of a body's length."""
_SIZES = (len("content-length"), len("transfer-encoding"))


class UnclearConnection(HTTPException):
    """It is not certain what comes next on the connection. The text says why; it contains nothing from the server."""


class PlatformResponse(HTTPResponse):
    """One answer from a connection. If the state of the connection stays unknown, it is closed."""

    fp: Any = None  # if an exception interrupts the making of an answer, it has no stream and can still be closed

    def _read_status(self) -> tuple[str, int, str]:
        """Return the status line of the real answer. http.client also calls this for a proxy's answer to CONNECT.

        Raises:
            UnclearConnection: an interim answer changes what comes next, or there are too many.
        """
        for _ in range(MAX_INTERIM + 1):
            line: tuple[str, int, str] = super()._read_status()  # type: ignore[misc]  # not in the stubs
            status = line[1]
            if status >= 200:
                return line
            if status == 101:
                raise UnclearConnection("the server switched to another protocol (HTTP 101), which was not requested")
            here.call.interim = True
            headers = parse_headers(self.fp)
            if headers.get("Content-Length", "0").strip() != "0" or "Transfer-Encoding" in headers:
                raise UnclearConnection(f"an interim answer (HTTP {status}) came with a body")
        raise UnclearConnection(f"more than {MAX_INTERIM} interim answers came and no real one")

    def begin(self) -> None:
        """Read the head of the answer, and close the connection after the answer if its end is not certain.

        Raises:
            UnclearConnection: the head does not say where the body ends.
        """
        super().begin()
        lengths: set[str] = set()
        codings: set[str] = set()
        head: Any = self.headers
        for name, value in head.raw_items():
            if len(name) not in _SIZES:  # nearly all names end here, and cost no copy in lower case
                continue
            match name.lower():
                case "content-length":
                    lengths.update(each.strip() for each in value.split(","))
                case "transfer-encoding":
                    codings.update(each.strip().lower() for each in value.split(","))
        if len(lengths) > 1:
            raise UnclearConnection("its head announces several lengths")
        for each in lengths:
            if not (each.isascii() and each.isdigit()):
                raise UnclearConnection("its head announces a length that is not a number")
            if len(each) > LONGEST_LENGTH:
                raise UnclearConnection("its head announces a length that nothing can have")
        codings.discard("identity")  # an old way to say that there is no coding
        if codings and not self.chunked:
            raise UnclearConnection("its head announces a transfer coding that was not requested")
        bodiless = self.status in (204, 304) or self._method == "HEAD"  # type: ignore[attr-defined]  # not in the stubs
        if lengths and not codings and not bodiless:
            self.length = int(lengths.pop())
        if (codings and (lengths or self.version < 11)) or (self.status == 204 and (codings or lengths - {"0"})):
            self.will_close = True
        if head.defects:
            self.will_close = True
