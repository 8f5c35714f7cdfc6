"""The programs of docs/retries-and-limits.md."""

# --8<-- [start:for-one-call]
from iot_northbound import HttpConfig, NorthApiClient, load_profile

settings = load_profile("~/.iot-northbound/emulator/profile.toml")
http = HttpConfig(deadline=30, max_attempts=5)
with NorthApiClient(settings.client_info, settings.ssl_config, http) as client:
    patient = client.with_options(timeout=(5, 120), deadline=180)
    patient.data_collection.query_batch_devices_info()
# --8<-- [end:for-one-call]


# --8<-- [start:staying-within-the-platform-s-limit]
limited = HttpConfig(calls_per_minute=100, deadline=None)
with NorthApiClient(settings.client_info, settings.ssl_config, limited) as client:
    for device in client.data_collection.iter_devices():
        print(device.device_id)
# --8<-- [end:staying-within-the-platform-s-limit]


# --8<-- [start:long-jobs-beside-users-who-wait]
limited = HttpConfig(calls_per_minute=100, deadline=None)
with NorthApiClient(settings.client_info, settings.ssl_config, limited) as client:
    ids = [device.device_id for device in client.data_collection.iter_devices()]
    with client.bulk():
        for device_id in filter(None, ids):
            print(client.data_collection.query_single_device_info(device_id))
# --8<-- [end:long-jobs-beside-users-who-wait]
