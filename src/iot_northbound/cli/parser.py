"""The parser of the command and its subcommands: only whole option names, with a hint for a wrong one."""

import argparse
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from iot_northbound.core.suggest import did_you_mean
from iot_northbound.profiles import PREFIX


class Parser(argparse.ArgumentParser):
    """An argument parser that accepts no abbreviations. The subcommands' parsers are of this class too.

    With abbreviations, `--secret` would mean `--secret-file`, and users would put the secret into the process list.
    """

    more_help: Callable[[], str] | None = None
    """Makes the text below the options, when the help is shown: for texts that need imports."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings, allow_abbrev=False)

    def format_help(self) -> str:
        """Return the help, including `more_help`."""
        if self.more_help is not None:
            self.epilog = self.more_help()
        return super().format_help()

    def refuse_unknown(self, given: Sequence[str]) -> NoReturn:
        """End the program (status 2) because of unknown arguments. Their values are not shown: they may be secrets."""
        names = [each.partition("=")[0] if each.startswith("--") else each[:2] for each in given if each[:1] == "-"]
        if not names:
            self.error(f"unexpected argument: {given[0]!r}")
        name, known = names[0], list(self._option_string_actions)
        if f"{name}-file" in known:
            also = f", or set {PREFIX}SECRET" if name == "--secret" else ""
            self.error(f"there is no {name}, because the process list would show it: give {name}-file{also}")
        self.error(f"there is no {name}{did_you_mean(name, known)}")
