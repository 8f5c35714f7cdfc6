"""Who has the token: this process alone, or all processes of the application together (`shared_tokens`)."""

from collections.abc import Callable
from typing import NamedTuple, Protocol, TypeVar

from iot_northbound.core.clock import Clock
from iot_northbound.core.refusals import Notes, OwnNotes
from iot_northbound.errors import NorthApiException, SdkCode
from iot_northbound.tokens import RENEW_AT, Grant, TokenStore

T = TypeVar("T")


class Held(NamedTuple):
    """The token that is there, or None."""

    grant: Grant | None
    mark: object
    """Another token has another mark. Compare marks, not grants: two readings of one token differ in their times."""


class Keeper(Protocol):
    """Keeps the token. Several threads call it at the same time; of one client, only one at a time calls `renew`."""

    part: float
    """The part of a token's life after which it is renewed in the background."""
    is_shared: bool
    """Whether other processes use the token too."""
    notes: Notes
    """Which endpoints refused a new token."""

    def load(self) -> Held:
        """Return the token that is there."""
        ...

    def known(self) -> Grant | None:
        """Return the token that was there last, as far as that is known without asking."""
        ...

    def renew(
        self, seen: Held, fetch: Callable[[], Grant], until: float | None, *, can_wait: bool = False
    ) -> Grant | None:
        """Return another token than the one seen: one from `fetch`, or one that another process got meanwhile.

        `until` is the caller's deadline. If `can_wait`, the seen token is still good, and the result is None if
        another process is renewing it.
        """
        ...

    def adopt(self, grant: Grant) -> None:
        """Keep a token that the application got itself."""
        ...

    def forget(self) -> None:
        """Forget the token here; one that is shared stays for the others."""
        ...

    def after_fork(self) -> None:
        """Become the keeper of a forked child."""
        ...

    def ended_early(self, count: int) -> str | None:
        """Return what to warn of when the platform has ended that many tokens before their time."""
        ...


class OwnToken:
    """The token of this process, in a `TokenStore`.

    Args:
        store: where it is kept.
        clock: time.
        app_id: the application's id, for the warning about other processes.
    """

    part = RENEW_AT
    is_shared = False

    def __init__(self, store: TokenStore, clock: Clock, app_id: str = "") -> None:
        self.store = store
        self.notes: Notes = OwnNotes(clock)
        self._app_id = app_id

    def load(self) -> Held:
        """Return the token that is there."""
        grant = self._ask("load", self.store.load)
        if grant is not None and not isinstance(grant, Grant):
            raise NorthApiException(
                SdkCode.CLIENT_INTERNAL, f"the token store returned a {type(grant).__name__}, not a Grant or None"
            )
        return Held(grant, grant)

    def known(self) -> Grant | None:
        """Return the token that is there."""
        return self.load().grant

    def renew(
        self, seen: Held, fetch: Callable[[], Grant], until: float | None, *, can_wait: bool = False
    ) -> Grant | None:
        """Return a new token."""
        grant = fetch()
        self.adopt(grant)
        return grant

    def adopt(self, grant: Grant) -> None:
        """Keep a token."""
        self._ask("save", self.store.save, grant)

    def forget(self) -> None:
        """Forget the token."""
        self._ask("clear", self.store.clear)

    def after_fork(self) -> None:
        """Change nothing: a store is the application's own matter."""

    def ended_early(self, count: int) -> str | None:
        """Return what to warn of."""
        if count != 1:
            return None
        return (
            f"the platform ended this client's token before its time: another process or client probably logs in with "
            f"the application id {self._app_id}, and each login ends the token before it. Give all of them the same "
            f"setting shared='file:/path' (or redis://…, postgresql://…), and they use one token together"
        )

    def _ask(self, what: str, do: Callable[..., T], *args: Grant) -> T:
        """Return the result of the store. Another exception than the SDK's own becomes a NorthApiException."""
        try:
            return do(*args)
        except NorthApiException:
            raise
        except Exception as error:
            raise NorthApiException(
                SdkCode.CLIENT_INTERNAL, f"the token store failed to {what}: {type(error).__name__}"
            ) from error
