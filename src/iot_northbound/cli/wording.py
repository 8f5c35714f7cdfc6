"""What failed, in the words of the command line: its options, or the variables, in place of the API's names."""

import argparse
import re
from collections.abc import Mapping

from iot_northbound.profiles import PREFIX

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
"""How that is called which a configuration is made from, where it is made from options."""
VARIABLES: Mapping[str, str] = {
    name: PREFIX + name.upper() if name.islower() else "variables"
    for name in (*OPTIONS, "connect_timeout", "read_timeout")
}
"""And where it comes from the environment. A profile's keys have the API's names."""


def in_words_of(arguments: argparse.Namespace, text: str) -> str:
    """Return a text with every name of the API in it replaced that `arguments.names` calls otherwise."""
    names: Mapping[str, str] = arguments.names
    if not names:
        return text
    # By itself a name has to look like one: "secret" and "networks" are words of English too.
    alone = "|".join(name for name in names if "_" in name or not name.islower())
    # What stands in a longer word or in a path is something else.
    pattern = rf"\b[A-Z]\w+\.({'|'.join(names)})\b|(?<![\w/.-])({alone})(?![\w/-]|\.\w)"
    return re.sub(pattern, lambda found: names[found[1] or found[2]], text)
