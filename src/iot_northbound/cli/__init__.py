"""The command ``iot-northbound``: one module per command."""

from iot_northbound.cli.app import main as main

__all__ = ["main"]
