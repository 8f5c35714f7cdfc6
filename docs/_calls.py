"""For mkdocstrings: each method of a service gets its parameters and an example, which is a program of its own."""

import re
import textwrap
from pathlib import Path
from typing import Any

import griffe

SNIPPETS = Path(__file__).parent / "snippets"
WORDS = {
    "app_id": "the application that owns the device, if it is not yours; it must have authorised you.",
    "access_app_id": "the application that owns the group, if it is not yours; it must have authorised you.",
    "owner_flag": "the owner of the devices: text that the platform knows, usually left out.",
    "access_token": "a token to use instead of the client's.",
    "device_id": "the id that the registration returned.",
    "node_id": "the id that the device reports itself with, for example its IMEI.",
    "gateway_id": "look only at devices behind this gateway.",
    "dto": "the device as in a registration; its class says which fields it has.",
    "task_id": "the id that the creation of the task returned.",
    "select": "which further part the answer has; the reference names the words.",
    "cascade": "for a gateway: also delete the devices behind it.",
    "timeout": "seconds until a `WaitTimeoutError`.",
    "on_progress": "is called with each state that is new.",
    "polling": "how often to look.",
    "dev_group_id": "the id that the creation of the group returned.",
    "file_id": "the id of a package, from the list of packages.",
    "operation_id": "the id that the creation of the upgrade task returned.",
    "command_id": "the id that the creation of the command returned.",
    "device_command_id": "the id that the creation of the command returned.",
    "service_id": "the service of the product model.",
    "subscription_id": "the id that the subscription returned.",
}
REQUESTS = "the request; its class says which fields it has."
"""Of a parameter that is a DTO."""


def explained(parameter: str) -> str | None:
    """Return what a parameter means in every method, or None if it has no such meaning."""
    return WORDS.get(parameter) or (REQUESTS if parameter.endswith("_dto") else None)


def example(service: str, method: str) -> str | None:
    """Return the program for a method of a service, or None."""
    file = SNIPPETS / f"calls_{service}.py"
    marked = rf"^ *# --8<-- \[start:{method}\]\n(.*?)^ *# --8<-- \[end:{method}\]$"
    found = re.search(marked, file.read_text("utf-8"), re.DOTALL | re.MULTILINE) if file.exists() else None
    return textwrap.dedent(found[1]).rstrip("\n") if found else None


class Calls(griffe.Extension):
    """Adds parameters and an example to the docstrings of the services' methods."""

    def on_function(self, *, func: griffe.Function, **_: Any) -> None:
        """Complete the docstring of a public method of a service."""
        if not func.path.startswith("iot_northbound.services.") or func.name.startswith("_") or not func.docstring:
            return
        text = func.docstring.value
        told = [(each.name, explained(each.name)) for each in func.parameters if each.name != "self"]
        if "Args:" not in text and told and all(words for _, words in told):
            arguments = "Args:\n" + "\n".join(f"    {name}: {words}" for name, words in told) + "\n\n"
            at = min(
                (text.find(word) for word in ("Raises:", "Reference:", "Yields:") if word in text), default=len(text)
            )
            text = f"{text[:at].rstrip()}\n\n{arguments}{text[at:]}"
        code = example(func.module.name, func.name)
        if code:
            text = f"{text.rstrip()}\n\nExample:\n\n```python\n{code}\n```\n"
        func.docstring.value = text
