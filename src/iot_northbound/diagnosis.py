"""The likely cause of a failed step of BasicTest, and what to do about it."""

import socket
from typing import NamedTuple

from iot_northbound.errors import (
    BadTokenError,
    ConnectionFailedError,
    NorthApiException,
    RequestTimeoutError,
    SdkCode,
    TlsError,
    TlsReason,
    UnreadableAnswerError,
)

_EXCERPT = 160


class Diagnosis(NamedTuple):
    """A failure in three parts."""

    detail: str
    """What happened."""
    cause: str
    remedy: str


_FILES: dict[TlsReason, tuple[str, str]] = {
    TlsReason.FILE_MISSING: (
        "The path is mistyped, or it is relative to another folder: paths in a profile are relative to the profile.",
        "Correct the path.",
    ),
    TlsReason.FILE_UNREADABLE: (
        "This user may not read the file.",
        "Change the owner or the access rights of the file, or run as a user who may read it.",
    ),
    TlsReason.FILE_IS_A_FOLDER: ("The path names a folder.", "Name the file in it."),
    TlsReason.PASSWORD_MISSING: (
        "The file is encrypted.",
        "Give its password (self_cert_pwd or trust_ca_pwd).",
    ),
    TlsReason.PASSWORD_WRONG: (
        "The password is the one of another file, or a blank was copied with it.",
        "Correct the password. `openssl pkcs12 -in FILE -noout` tests the password of a PKCS#12 file.",
    ),
    TlsReason.CERTIFICATE_EXPIRED: (
        "The certificate has expired, or this machine's clock is wrong.",
        "Get a new certificate.",
    ),
    TlsReason.CERTIFICATE_NOT_YET_VALID: (
        "This machine's clock is slow, or the certificate is made for later.",
        "Set the clock.",
    ),
    TlsReason.KEY_MISMATCH: (
        "The certificate and the key come from two different requests.",
        "Give the key that the certificate was requested with.",
    ),
    TlsReason.KEY_MISSING: (
        "The file contains only the certificate.",
        "Give the file of the key too (self_key_path), or a PKCS#12 file with both.",
    ),
}
"""Cause and remedy for files that cannot be used."""


def diagnose(error: NorthApiException) -> Diagnosis:
    """Return what happened, the likely cause and the remedy. They are never empty."""
    if isinstance(error, TlsError):
        return _of_tls(error)
    if error.error_code == SdkCode.NO_ANSWER:
        return _of_silence(error)
    cause, remedy = error.cause, _advice(error)
    if isinstance(error, BadTokenError):
        cause = "Another login of this application has ended the token, or the application may not use this API."
        remedy = (
            "Stop everything else that logs in with this application id, and run again. If it fails again, ask the "
            "platform's operator."
        )
    elif not cause:
        cause = "The platform sent a code that is not in its documentation."
        remedy = "Ask the platform's operator about it. Report the code and the time."
    if error.http_message and (isinstance(error, UnreadableAnswerError) or error.error_code == SdkCode.NOT_JSON):
        cause += f" It begins: {_excerpt(error.http_message)}"
    return Diagnosis(_said(error), cause, remedy)


def _advice(error: NorthApiException) -> str:
    """Return the remedy, unless it is the description, which the report shows anyway."""
    return _CORRECT if error.remedy.rstrip(".") == error.error_desc.rstrip(".") else error.remedy


_CORRECT = "Correct what this message names."


def _said(error: NorthApiException) -> str:
    status = f" (HTTP {error.http_status_code})" if error.http_status_code is not None else ""
    return f"{error.error_code}{status}: {error.error_desc or 'no description'}"


def _excerpt(text: str) -> str:
    shown = " ".join("".join(each if each.isprintable() else " " for each in text).split())
    return shown if len(shown) <= _EXCERPT else f"{shown[:_EXCERPT]}…"


def _of_tls(error: TlsError) -> Diagnosis:
    cause, remedy = _FILES.get(error.reason, (error.cause, _advice(error)))
    # The description of a failed handshake ends with the cause and the remedy, which the report shows on their own.
    detail = _said(error).removesuffix(f"{cause} {remedy}").rstrip(": ")
    return Diagnosis(detail, cause, remedy)


def _of_silence(error: NorthApiException) -> Diagnosis:
    reason = error.__cause__
    if isinstance(reason, socket.gaierror) and reason.errno == socket.EAI_AGAIN:
        cause, remedy = "No name server answers.", "Check this machine's network and its DNS settings."
    elif isinstance(reason, socket.gaierror | UnicodeError):
        cause = "The name is mistyped, or it is known only in another network."
        remedy = "Check platform_ip, connect to the platform's VPN if it has one, or give its IP address."
    elif isinstance(reason, ConnectionRefusedError):
        cause = "No service listens on this port, or a firewall refuses connections."
        remedy = "Check platform_ip and platform_port (8743 by default), and that the platform is running."
    elif isinstance(error, RequestTimeoutError) and not error.request_sent:
        cause = "A firewall drops the packets, the address is not the platform's, or nobody answers there."
        remedy = "Check the address and the port, and that this machine may connect to them (VPN, firewall, proxy)."
    elif isinstance(error, RequestTimeoutError):
        cause = "The platform got the request and stays silent: it is overloaded, or something on the way drops it."
        remedy = (
            "Run again with more time (--timeout). If it fails again, report the step and the time to the platform's "
            "operator."
        )
    elif isinstance(error, ConnectionFailedError) and error.may_want_certificate:
        cause = "The platform requires a client certificate, and none was sent."
        remedy = "Give the application's certificate and key (self_cert_path)."
    elif isinstance(error, ConnectionFailedError) and error.request_sent:
        cause = "The platform, or a firewall or a proxy in front of it, ended the connection without an answer."
        remedy = "Run again. If it fails again, report the step and the time to the platform's operator."
    else:
        cause = "This machine has no way to that address."
        remedy = "Check the network, the VPN, the proxy and platform_ip."
    return Diagnosis(_said(error), cause, remedy)
