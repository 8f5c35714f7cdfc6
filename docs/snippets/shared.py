"""The programs of docs/shared.md."""

# --8<-- [start:one-application-many-processes]
from iot_northbound import NorthApiClient, load_profile

info, tls, http, _ = load_profile("~/.iot-northbound/emulator/profile.toml")
with NorthApiClient(info, tls, http, shared="file:shared.sqlite3") as client:
    client.data_collection.query_batch_devices_info()
# --8<-- [end:one-application-many-processes]
