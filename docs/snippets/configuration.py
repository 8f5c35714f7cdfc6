"""The programs of docs/configuration.md."""

import os

from iot_northbound import (
    ClientInfo,
    HttpConfig,
    NorthApiClient,
    PushMessageReceiver,
    SSLConfig,
    load_inbox_url,
    load_profile,
)
from iot_northbound.push import open_inbox


def clients() -> list[NorthApiClient]:
    secret = os.environ["NA_SECRET"]
    # --8<-- [start:configuration]
    from_arguments = NorthApiClient(
        ClientInfo(platform_ip="platform.example", app_id="my-app", secret=secret),
        SSLConfig(self_cert_path="client.pem", trust_ca_path="platform-ca.pem"),
        http=HttpConfig(calls_per_minute=100),
        shared="file:/var/lib/na/shared.sqlite3",
    )
    from_environment = NorthApiClient.from_env()
    from_file = NorthApiClient.from_profile("iot.toml", "production")
    without_deadline = NorthApiClient.from_profile(
        "iot.toml", http=HttpConfig(deadline=None)
    )
    # --8<-- [end:configuration]
    return [from_arguments, from_environment, from_file, without_deadline]


def parts() -> NorthApiClient:
    # --8<-- [start:in-parts]
    info, tls, http, shared = load_profile("iot.toml", "production")
    # --8<-- [end:in-parts]
    return NorthApiClient(info, tls, http, shared=shared)


def inbox() -> PushMessageReceiver:
    # --8<-- [start:inbox]
    url = load_inbox_url("iot.toml", "production")
    inbox = open_inbox(url)
    # --8<-- [end:inbox]
    return PushMessageReceiver(inbox)
