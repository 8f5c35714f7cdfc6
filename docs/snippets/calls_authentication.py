"""An example per method of client.authentication, for the reference."""

from iot_northbound import NorthApiClient
from iot_northbound.dto import AuthRefreshInDTO
from iot_northbound.emulator import Emulator

with (
    Emulator() as platform,
    NorthApiClient.from_profile(platform.profile_path) as client,
):
    # --8<-- [start:get_auth_token]
    granted = client.authentication.get_auth_token()
    print("ends in", granted.expires_in, "seconds")
    # --8<-- [end:get_auth_token]

    # --8<-- [start:refresh_auth_token]
    info = client.client_info
    assert granted.refresh_token
    refreshed = client.authentication.refresh_auth_token(
        AuthRefreshInDTO(
            app_id=info.app_id,
            secret=info.secret,
            refresh_token=granted.refresh_token,
        )
    )
    print("ends in", refreshed.expires_in, "seconds")
    # --8<-- [end:refresh_auth_token]

    # --8<-- [start:start_refresh_token_timer]
    client.authentication.start_refresh_token_timer()
    print(client.token_status.timer_running)
    # --8<-- [end:start_refresh_token_timer]

    # --8<-- [start:stop_refresh_token_timer]
    client.authentication.stop_refresh_token_timer()
    print(client.token_status.timer_running)
    # --8<-- [end:stop_refresh_token_timer]
