import pytest

from iot_northbound.dto.authentication import AuthOutDTO, AuthRefreshInDTO, AuthRefreshOutDTO
from iot_northbound.errors import NotAuthorizedError
from iot_northbound.services import Authentication
from tests.services.fake import FakeClient

GRANTED = {"access_token": "first", "refresh_token": "second", "expires_in": 1800}


def test_login_sends_the_clients_credentials_and_tells_it_of_the_new_token() -> None:
    client = FakeClient(AuthOutDTO(**GRANTED))
    assert Authentication(client).get_auth_token() == AuthOutDTO(**GRANTED)
    assert client.sent[0].body == {"appId": "app-7", "secret": "not-a-real-secret"}
    assert client.granted == [("first", "second", 1800)]


def test_refresh_sends_what_it_is_given_and_tells_the_client_of_the_new_token() -> None:
    client = FakeClient(AuthRefreshOutDTO(**GRANTED))
    request = AuthRefreshInDTO(app_id="app-7", secret="not-a-real-secret", refresh_token="old")
    assert Authentication(client).refresh_auth_token(request) == AuthRefreshOutDTO(**GRANTED)
    assert client.sent[0].body is request
    assert client.granted == [("first", "second", 1800)]


def test_a_refused_login_grants_nothing() -> None:
    client = FakeClient(NotAuthorizedError("100208", "wrong secret", http_status_code=401))
    with pytest.raises(NotAuthorizedError):
        Authentication(client).get_auth_token()
    assert client.granted == []


def test_the_timer_is_the_clients_own() -> None:
    client = FakeClient()
    service = Authentication(client)
    service.start_refresh_token_timer()
    service.stop_refresh_token_timer()
    assert client.timer == ["start", "stop"]
    assert client.sent == []
