"""The programs of docs/errors.md."""

# --8<-- [start:errors]
from iot_northbound import (
    NorthApiClient,
    NorthApiException,
    NotFoundError,
    ThrottledError,
)

with NorthApiClient.from_profile("~/.iot-northbound/emulator/profile.toml") as client:
    try:
        client.data_collection.query_single_device_info("no-such-device")
    except NotFoundError:
        print("there is no such device")
    except ThrottledError as error:
        print("too many calls; the platform asks to wait", error.retry_after)
    except NorthApiException as error:
        print(error)  # says what happened and what to do
# --8<-- [end:errors]
