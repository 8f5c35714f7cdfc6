"""The programs of docs/tls.md."""

import os

from iot_northbound import ClientInfo, NorthApiClient, PeerCertificate, SSLConfig


def from_the_vendors_files() -> None:
    # --8<-- [start:certificates-and-tls]
    client = NorthApiClient(
        ClientInfo(
            platform_ip="platform.example",
            app_id="my-app",
            secret=os.environ["NA_SECRET"],
        ),
        SSLConfig(
            self_cert_path="client.p12",  # the client's certificate and key
            self_cert_pwd=os.environ["NA_CERT_PASSWORD"],
            trust_ca_path="platform.jks",  # the CAs to trust, and no others
            trust_ca_pwd=os.environ["NA_TRUST_PASSWORD"],
        ),
    )
    # --8<-- [end:certificates-and-tls]
    client.close()


# --8<-- [start:host-names]
def rule(host: str, certificate: PeerCertificate) -> bool:  # a HostnameVerifier
    return certificate.common_name == "iot.platform.example"


# --8<-- [end:host-names]
