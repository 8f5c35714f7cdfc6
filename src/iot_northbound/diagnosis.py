"""What most likely lies behind a failed step of BasicTest, and what to do about it."""

import re
import socket
from typing import NamedTuple

from iot_northbound.errors import (
    BadTokenError,
    ConnectionFailedError,
    NorthApiException,
    RequestTimeoutError,
    SdkCode,
    TlsError,
    UnreadableAnswerError,
)

_EXCERPT = 160
_SIDES = re.compile(r"(We|The server|The TLS handshake) ")
"""What each sentence of handshake.py begins with."""


class Diagnosis(NamedTuple):
    """A failure in three parts."""

    detail: str
    """What happened."""
    cause: str
    remedy: str


# Files that cannot be used, by what keystores.py and tls_context.py say of them.
_FILES: tuple[tuple[str, str, str], ...] = (
    (
        "does not exist",
        "The path is mistyped, or relative to another folder: a profile's paths are relative to the profile.",
        "Correct the path.",
    ),
    (
        "cannot be read",
        "This user may not read the file.",
        "Change the file's owner or rights, or run as a user who may read it.",
    ),
    (
        "no password is given",
        "The file is encrypted.",
        "Give its password (self_cert_pwd or trust_ca_pwd).",
    ),
    (
        "is wrong",
        "The password is that of another file, or a blank was copied along.",
        "Correct the password; `openssl pkcs12 -in FILE -noout` tries one on a PKCS#12 file.",
    ),
    ("expired", "The certificate has run out, or this machine's clock is wrong.", "Have a new certificate issued."),
    ("is not valid before", "This machine's clock is slow, or the certificate is made for later.", "Set the clock."),
    (
        "does not belong",
        "Certificate and key come from two different requests.",
        "Give the key that the certificate was requested with.",
    ),
    (
        "no private key",
        "The file holds the certificate alone.",
        "Give the key's file too (self_key_path), or a PKCS#12 file with both.",
    ),
    ("folder", "The path names a folder.", "Name the file in it."),
)


def diagnose(error: NorthApiException) -> Diagnosis:
    """Return what happened, the likely cause and the remedy, all three never empty."""
    if isinstance(error, TlsError) and error.error_code == SdkCode.TLS:
        return _of_file(error)
    if isinstance(error, TlsError):
        return _of_handshake(error)
    if error.error_code == SdkCode.NO_ANSWER:
        return _of_silence(error)
    cause, remedy = error.cause, error.remedy
    if isinstance(error, BadTokenError):
        cause = "Another login of this application ended the token meanwhile, or the application may not use this API."
        remedy = "Stop what else logs in with this application id and run again; if it stays, ask the operator."
    elif not cause:
        cause = "The platform gives a code that is not in its documentation."
        remedy = "Ask the platform's operator about it, with the code and the time."
    if error.http_message and (isinstance(error, UnreadableAnswerError) or error.error_code == SdkCode.NOT_JSON):
        cause += f" It begins: {_excerpt(error.http_message)}"
    return Diagnosis(_said(error), cause, remedy)


def _said(error: NorthApiException) -> str:
    status = f" (HTTP {error.http_status_code})" if error.http_status_code is not None else ""
    return f"{error.error_code}{status}: {error.error_desc or 'no description'}"


def _excerpt(text: str) -> str:
    shown = " ".join("".join(each if each.isprintable() else " " for each in text).split())
    return shown if len(shown) <= _EXCERPT else f"{shown[:_EXCERPT]}…"


def _of_file(error: NorthApiException) -> Diagnosis:
    for sign, cause, remedy in _FILES:
        if sign in error.error_desc:
            return Diagnosis(_said(error), cause, remedy)
    return Diagnosis(_said(error), error.cause, error.remedy)


def _of_handshake(error: NorthApiException) -> Diagnosis:
    """Take apart what handshake.py says: which side refused and why, then what to do where there is a way."""
    side = _SIDES.search(error.error_desc)
    head, told = error.error_desc, error.error_desc
    if side is not None:
        head, told = head[: side.start()].rstrip(": "), head[side.start() :]
    cause, _, remedy = told.partition(". ")
    if not remedy and "We refused" in cause:
        remedy = "Check the address, and ask the platform's operator about its certificate and TLS settings."
    elif not remedy:
        remedy = "Ask the platform's operator which client certificates it accepts; give such a one in self_cert_path."
    return Diagnosis(f"{error.error_code}: {head}", cause.rstrip(".") + ".", remedy)


def _of_silence(error: NorthApiException) -> Diagnosis:
    reason = error.__cause__
    if isinstance(reason, socket.gaierror) and reason.errno == socket.EAI_AGAIN:
        cause, remedy = "No name server answers.", "Check this machine's network and its DNS settings."
    elif isinstance(reason, socket.gaierror | UnicodeError):
        cause = "The name is mistyped, or known in another network only."
        remedy = "Check platform_ip; connect to the platform's VPN where there is one; or give its IP address."
    elif isinstance(reason, ConnectionRefusedError):
        cause = "Nothing listens on this port, or a firewall turns callers away."
        remedy = "Check platform_ip and platform_port (8743 by default), and that the platform runs."
    elif isinstance(error, RequestTimeoutError) and "connection" in error.error_desc:
        cause = "A firewall drops the packets, the address is not the platform's, or nobody answers there."
        remedy = "Check address and port, and that this machine may call out to them (VPN, firewall, proxy)."
    elif isinstance(error, RequestTimeoutError):
        cause = "The platform took the request and stays silent: it is overloaded, or something on the way swallows it."
        remedy = (
            "Run again with more time (--timeout); if it stays, tell the platform's operator the step and the time."
        )
    elif isinstance(error, ConnectionFailedError) and "no client certificate" in error.error_desc:
        cause = "The platform requires a client certificate, and none was shown."
        remedy = "Give the application's certificate and key (self_cert_path)."
    elif isinstance(error, ConnectionFailedError) and "broke" in error.error_desc:
        cause = "The platform, or a firewall or proxy before it, ended the connection without an answer."
        remedy = "Run again; if it stays, tell the platform's operator the step and the time."
    else:
        cause = "This machine has no way to that address."
        remedy = "Check the network, the VPN and the proxy, and platform_ip."
    return Diagnosis(_said(error), cause, remedy)
