r"""A receiver that serves by itself over TLS, until SIGTERM or Ctrl-C.

    python examples/receiver_standalone.py server.pem server.key \
        --client-ca platform-ca.pem --port 8686

Without a certificate it speaks plain HTTP, for a proxy in front that ends TLS.
"""

import argparse
import logging
from datetime import datetime

from iot_northbound.dto import NotifyDeviceAddedDTO, NotifyDeviceDataChangedDTO
from iot_northbound.push import (
    HandlerRetry,
    PushMessageReceiver,
    SqliteInbox,
    server_context,
)


class Application(PushMessageReceiver):
    """Prints the messages."""

    def __init__(self, inbox: SqliteInbox, retry: HandlerRetry) -> None:
        super().__init__(inbox, retry=retry)
        self.newest: dict[tuple[str | None, str | None], datetime] = {}

    def handle_device_added(self, body: NotifyDeviceAddedDTO) -> None:
        """Print a new device."""
        print(f"new device {body.device_id}", flush=True)

    def handle_device_data_changed(self, body: NotifyDeviceDataChangedDTO) -> None:
        """Print a report with its time, and whether a newer one came before."""
        service = body.service
        if service is None:
            return
        # The order of arrival is not the order of the events: a repeated push comes
        # after newer ones.
        made = (
            service.event_time.datetime
            if service.event_time
            else self.event.received_at
        )
        key = body.device_id, service.service_id
        late = key in self.newest and made < self.newest[key]
        if not late:
            self.newest[key] = made
        line = f"{body.device_id} {made:%H:%M:%S} {service.data}"
        print(f"{line} (late)" if late else line, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="Receive pushes and print them.")
    parser.add_argument("certificate", nargs="?", help="PEM file")
    parser.add_argument("key", nargs="?", help="PEM file")
    parser.add_argument(
        "--client-ca", help="PEM file: who issues the platform's certificate"
    )
    parser.add_argument("--inbox", default="pushes.sqlite3")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8686)
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO)
    context = (
        server_context(given.certificate, given.key, client_ca=given.client_ca)
        if given.certificate
        else None
    )
    receiver = Application(SqliteInbox(given.inbox), retry=HandlerRetry(attempts=4))
    server = receiver.server(given.host, given.port, ssl=context)
    server.serve_forever(lambda: print(f"listening on {server.url}", flush=True))


if __name__ == "__main__":
    main()
