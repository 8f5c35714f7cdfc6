"""``iot-northbound completion``: the script with which a shell completes commands and options."""

import click
from click.shell_completion import get_completion_class

from iot_northbound.cli.app import COMPLETE, NAME, root
from iot_northbound.cli.command import Command

_SHELLS = ("bash", "zsh", "fish")


@click.command("completion", cls=Command)
@click.argument("shell", type=click.Choice(_SHELLS))
def completion(shell: str) -> None:
    """Print the script that completes commands and options in a shell.

    \b
    bash: eval "$(iot-northbound completion bash)" in ~/.bashrc
    zsh:  eval "$(iot-northbound completion zsh)" in ~/.zshrc
    fish: iot-northbound completion fish | source, in ~/.config/fish/config.fish
    """  # noqa: D301 - click keeps the lines of a paragraph that begins with this character
    made = get_completion_class(shell)
    if made is None:
        raise click.UsageError(f"click has no completion for {shell}")
    print(made(root, {}, NAME, COMPLETE).source())
