"""The programs of docs/tokens.md."""

# --8<-- [start:the-timer]
from iot_northbound import NorthApiClient

with NorthApiClient.from_profile("~/.iot-northbound/emulator/profile.toml") as client:
    print(client.token_status.state)  # fresh
    client.data_collection.query_batch_devices_info()  # needs no token from you
# --8<-- [end:the-timer]


# --8<-- [start:the-status-of-the-token]
with NorthApiClient.from_profile("~/.iot-northbound/emulator/profile.toml") as client:
    status = client.token_status
    if status.failures_in_a_row:
        print("token trouble:", status.last_error)
    print(status.timer_running, status.renewals, status.expires_at)
# --8<-- [end:the-status-of-the-token]


# --8<-- [start:a-token-of-your-own]
client = NorthApiClient.from_profile("~/.iot-northbound/emulator/profile.toml")
granted = client.authentication.get_auth_token()
client.data_collection.query_batch_devices_info(access_token=granted.access_token)
client.close()
# --8<-- [end:a-token-of-your-own]


# --8<-- [start:a-store-of-your-own]
from iot_northbound import Grant


class OwnStore:
    """A store has three methods. Several threads call them at the same time."""

    def __init__(self) -> None:
        self.grant: Grant | None = None

    def load(self) -> Grant | None:
        return self.grant

    def save(self, grant: Grant) -> None:
        self.grant = grant

    def clear(self) -> None:
        self.grant = None


with NorthApiClient.from_profile(
    "~/.iot-northbound/emulator/profile.toml", token_store=OwnStore()
) as client:
    client.data_collection.query_batch_devices_info()
# --8<-- [end:a-store-of-your-own]
