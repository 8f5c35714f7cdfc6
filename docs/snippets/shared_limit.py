"""The programs of docs/shared-limit.md."""

from iot_northbound import ClientInfo, HttpConfig, NorthApiClient, SSLConfig


def one_limit(info: ClientInfo, tls: SSLConfig) -> None:
    # --8<-- [start:one-limit-for-many-processes]
    client = NorthApiClient(
        info,
        tls,
        HttpConfig(calls_per_minute=100),
        shared="file:/var/lib/na/shared.sqlite3",
    )
    # --8<-- [end:one-limit-for-many-processes]
    client.close()
