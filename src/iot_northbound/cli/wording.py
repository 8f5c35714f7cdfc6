"""Error messages in the words of the command line: options or variables instead of the API's names."""

import logging
import re
import sys
from collections.abc import Mapping

PREFIX = "IOT_NORTHBOUND_"

OPTIONS: Mapping[str, str] = {
    "ClientInfo": "options",
    "SSLConfig": "options",
    "platform_ip": "--platform-ip",
    "platform_port": "--platform-port",
    "app_id": "--app-id",
    "secret": f"the secret (--secret-file or {PREFIX}SECRET)",
    "self_cert_path": "--cert",
    "self_key_path": "--key",
    "self_cert_alias": "--cert-alias",
    "self_cert_pwd": "--cert-password-file",
    "trust_ca_path": "--ca",
    "trust_ca_pwd": "--ca-password-file",
    "expected_hostname": "--expected-hostname",
}
"""Name of each part of a configuration that comes from options."""
VARIABLES: Mapping[str, str] = {
    name: PREFIX + name.upper() if name.islower() else "variables"
    for name in (*OPTIONS, "connect_timeout", "read_timeout")
}
"""Name of each part that comes from the environment. The keys of a profile have the API's names."""


def in_words_of(names: Mapping[str, str], text: str) -> str:
    """Return a text in which the names of the API are replaced by those in `names`."""
    if not names:
        return text
    # Without its class, a name must look like one: "secret" and "networks" are English words too.
    alone = "|".join(name for name in names if "_" in name or not name.islower())
    # A name inside a longer word or a path is something else.
    pattern = rf"\b[A-Z]\w+\.({'|'.join(names)})\b|(?<![\w/.-])({alone})(?![\w/-]|\.\w)"
    return re.sub(pattern, lambda found: names[found[1] or found[2]], text)


def printable(text: str, but: str = "") -> str:
    """Return a text without control characters: a device must not control the terminal or break the line.

    The characters of `but` stay.
    """
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() or each in but else each.encode("unicode_escape").decode() for each in text
    )


def say(text: str) -> None:
    """Write a line for a person to stderr: stdout is only for results."""
    print(printable(text), file=sys.stderr, flush=True)


class LogFormatter(logging.Formatter):
    """Lines of a log for a terminal: texts of a platform in them cannot control it."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the lines."""
        return printable(super().format(record), but="\n\t")
