"""Whom a device trusts, and what goes wrong with TLS in the words of the device side."""

import re
from os import PathLike

from iot_northbound.core.tls import TlsPolicy, build_policy
from iot_northbound.core.transport import WANTS_CERTIFICATE
from iot_northbound.errors import ConnectionFailedError, NorthApiException, TlsError, TlsReason
from iot_northbound.ssl_config import SSLConfig

_CA_PATH = "ca_path"
_ANOTHER_SERVICE = (TlsReason.NOT_TLS, TlsReason.NO_HANDSHAKE)


def policy_of(ca_path: str | PathLike[str] | None, ssl_config: SSLConfig | None) -> TlsPolicy:
    """Return the TLS policy of a device. Errors name the setting that the application has given.

    Raises:
        TlsError: a file, password, certificate or key cannot be used (1006).
    """
    if ssl_config is not None:
        return build_policy(ssl_config)
    try:
        return build_policy(SSLConfig(trust_ca_path=ca_path))._replace(trust_setting=_CA_PATH)
    except TlsError as error:
        desc = re.sub(r"(SSLConfig\.)?\btrust_ca_path\b", _CA_PATH, error.error_desc, count=1)
        desc = re.sub(r"set trust_ca_pwd$", "give a PEM file, or an SSLConfig with trust_ca_pwd", desc)
        raise TlsError(error.error_code, desc, reason=error.reason) from error


def in_device_words(error: NorthApiException, policy: TlsPolicy, place: str) -> NorthApiException:
    """Return a failed connection with what a device can do about it.

    Args:
        error: the failure.
        policy: the TLS policy of the connection.
        place: the port that it should be, in words. The platform's ports for devices take no client certificate, so a
            server that may require one is probably another.
    """
    bare = not policy.shows_certificate
    if isinstance(error, ConnectionFailedError) and error.may_want_certificate and bare:
        desc = f"{error.error_desc.removesuffix(WANTS_CERTIFICATE)}. It is perhaps not {place}"
        return ConnectionFailedError(error.error_code, desc, request_sent=error.request_sent)
    if not isinstance(error, TlsError):
        return error
    if error.reason in _ANOTHER_SERVICE or (bare and error.reason is TlsReason.CLIENT_CERTIFICATE_MISSING):
        remedy = f"Check host and port: it must be {place}."
    else:
        remedy = (
            error.remedy.replace("SSLConfig.trust_ca_path", policy.trust_setting)
            .replace("platform_port is the port of the API", f"it is {place}")
            .replace("platform_ip", "the host")
        )
    desc = error.error_desc.replace(error.remedy.rstrip("."), remedy.rstrip("."))
    return TlsError(error.error_code, desc, reason=error.reason, likely=(error.cause, remedy))
