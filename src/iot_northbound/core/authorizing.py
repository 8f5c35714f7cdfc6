"""Gives each call a token, and repeats the call with another one if the platform refuses its token."""

from collections.abc import Callable
from typing import TypeVar

from iot_northbound.core.answers import is_bad_token
from iot_northbound.core.refusals import Refusals
from iot_northbound.core.tokens import Tokens
from iot_northbound.errors import NorthApiException

T = TypeVar("T")

MOST_TOKENS = 3
"""With how many further tokens a call is repeated, if each of them is replaced while the platform works on it."""


class Authorizing:
    """The calls of one client that need a token.

    Args:
        tokens: the token of the client.
    """

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens
        self._refusals = Refusals(tokens.notes)

    def call(self, endpoint: str, until: float | None, send: Callable[[str], T]) -> T:
        """Return what `send` returns for a valid token.

        Args:
            endpoint: the name of the endpoint.
            until: the deadline, in seconds of the monotonic clock.
            send: sends the call with a token.

        Raises:
            NorthApiException: the call or a renewal of the token failed.
        """
        refused = self._tokens.current(until)
        try:
            return self._accepted(endpoint, refused, send(refused))
        except NorthApiException as refusal:
            if not is_bad_token(refusal) or self._refusals.is_forbidden(endpoint, refused):
                raise
        return self._repeated(endpoint, until, send, refused)

    def _repeated(self, endpoint: str, until: float | None, send: Callable[[str], T], refused: str) -> T:
        """Return the result of a call whose token was refused, with a newer one.

        A token that was replaced while the platform worked on the call says nothing about the endpoint. Then the call
        is repeated once more.
        """
        further = MOST_TOKENS
        while True:
            token, further = self._tokens.replace(refused, until), further - 1
            try:
                result = self._accepted(endpoint, token, send(token))
            except NorthApiException as error:
                if not is_bad_token(error):
                    raise
                if self._tokens.is_current(token):
                    self._refusals.note(endpoint, token)
                    raise
                if not further:
                    raise
                refused = token
            else:
                self._tokens.was_replaced(refused)
                return result

    def _accepted(self, endpoint: str, token: str, result: T) -> T:
        self._refusals.accepted(endpoint, token)
        return result
