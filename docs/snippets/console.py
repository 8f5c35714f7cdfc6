"""The program of docs/console.md."""

# --8<-- [start:link]
from iot_northbound.emulator import Emulator

with Emulator() as platform:
    print(platform.console_link())
# --8<-- [end:link]
