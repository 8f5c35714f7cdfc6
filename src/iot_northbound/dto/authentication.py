"""Login and the renewal of tokens (section 1.3)."""

from typing import Annotated

from iot_northbound.core.fields import SECRET, Text, request, response
from iot_northbound.core.json_form import JsonForm
from iot_northbound.core.received import Received


@response
class AuthOutDTO(Received, JsonForm):
    """The token of a login (section 1.3.1).

    Attributes:
        scope: what the token is valid for; always ``default``.
        token_type: ``bearer``, in upper or lower case.
        expires_in: seconds until the access token expires; usually 3600.
        access_token: is sent in the header Authorization of every call.
        refresh_token: renews the access token; valid for one month, null on some platforms.
    """

    scope: str | None = None
    token_type: str | None = None
    expires_in: int | None = None
    access_token: Annotated[str, SECRET]
    refresh_token: Annotated[str | None, SECRET] = None


@request
class AuthRefreshInDTO(JsonForm):
    """The request to renew a token (section 1.3.2).

    Attributes:
        app_id: the application's id; up to 256 characters.
        secret: the application's secret; up to 256 characters.
        refresh_token: from the last login or renewal; up to 256 characters.
    """

    app_id: Annotated[str, Text.up_to(256)]
    secret: Annotated[str, Text.up_to(256), SECRET]
    refresh_token: Annotated[str, Text.up_to(256), SECRET]


@response
class AuthRefreshOutDTO(AuthOutDTO):
    """A renewed token, with the refresh token for the next renewal (section 1.3.2)."""


__all__ = ["AuthOutDTO", "AuthRefreshInDTO", "AuthRefreshOutDTO"]
