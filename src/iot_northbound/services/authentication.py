"""Log in and keep the token fresh."""

from iot_northbound.core.endpoint import Endpoint
from iot_northbound.dto.authentication import AuthOutDTO, AuthRefreshInDTO, AuthRefreshOutDTO
from iot_northbound.services.base import Service, TokenOwner

LOGIN = Endpoint("POST", "/iocm/app/sec/v1.1.0/login", AuthOutDTO, section="1.3.1", authorized=False, form=True)
REFRESH = Endpoint(
    "POST",
    "/iocm/app/sec/v1.1.0/refreshToken",
    AuthRefreshOutDTO,
    takes=AuthRefreshInDTO,
    section="1.3.2",
    authorized=False,
)


class Authentication(Service):
    """Log in and refresh the token, or let a timer do both.

    The platform keeps one token per application. Each login ends the earlier token, in other processes too.
    """

    _client: TokenOwner

    def __init__(self, client: TokenOwner) -> None:
        super().__init__(client)

    def get_auth_token(self) -> AuthOutDTO:
        """Log in with the client's application id and secret and return a new token.

        `expires_in` is in seconds, usually 3600. `refresh_token` is valid for a month, or null. The earlier token ends
        now. If the timer is on, the client uses the new token.

        Raises:
            NotAuthorizedError: id or secret is wrong (100208), or the application is frozen (100449).
            InvalidArgumentError: id or secret is empty (102202).

        Reference: section 1.3.1.
        """
        app_id, secret = self._client.credentials()
        started = self._client.clock.now()
        granted = self._call(LOGIN, body={"appId": app_id, "secret": secret})
        self._client.token_granted(granted.access_token, granted.refresh_token, granted.expires_in, started)
        return granted

    def refresh_auth_token(self, ar_in_dto: AuthRefreshInDTO) -> AuthRefreshOutDTO:
        """Return a new token in exchange for a refresh token.

        The refresh token comes from the last login or refresh, and is valid for a month. If the timer is on, the client
        uses the new token.

        Raises:
            NotAuthorizedError: id, secret or refresh token is wrong (100208), or the application is frozen (100449).
            InvalidArgumentError: a field is empty or unacceptable (102202, 50400).

        Reference: section 1.3.2.
        """
        started = self._client.clock.now()
        granted = self._call(REFRESH, body=ar_in_dto)
        self._client.token_granted(granted.access_token, granted.refresh_token, granted.expires_in, started)
        return granted

    def start_refresh_token_timer(self) -> None:
        """Log in and renew the token before it expires, so that calls need no `access_token`.

        If the timer already runs, it does nothing. A client in a ``with`` statement starts and stops the timer itself.

        Reference: Java section 2.3.1.3.
        """
        self._client.start_timer()

    def stop_refresh_token_timer(self) -> None:
        """Stop the renewal of the token. From now on each call needs an `access_token` (1009 without one).

        Reference: Java section 2.3.1.4.
        """
        self._client.stop_timer()
