"""The programs of docs/receiver/security.md."""

# --8<-- [start:certificates-and-firewalls]
from iot_northbound.push import (
    Access,
    PushMessageReceiver,
    SqliteInbox,
    server_context,
)

receiver = PushMessageReceiver(
    SqliteInbox("pushes.sqlite3"),
    access=Access(client_names=["push.example"], networks=["192.0.2.0/24"]),
)

if __name__ == "__main__":
    tls = server_context("server.pem", "server.key", client_ca="platform-ca.pem")
    receiver.serve("0.0.0.0", 8686, ssl=tls)
# --8<-- [end:certificates-and-firewalls]
