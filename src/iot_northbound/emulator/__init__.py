"""The platform on a laptop: `Emulator` runs it in this process, `iot-northbound emulator` as a command.

It imports nothing of the client except the error codes, so that a mistake in the client cannot be hidden here.
"""

from typing import TYPE_CHECKING, Any

from iot_northbound._extras import needs_extra
from iot_northbound._lazy import lazy_names

if TYPE_CHECKING:
    from iot_northbound.emulator.control.base import NotFound as NotFound
    from iot_northbound.emulator.control.control import Control as Control
    from iot_northbound.emulator.control.schema import InvalidArgument as InvalidArgument
    from iot_northbound.emulator.server import Emulator as Emulator

__all__ = ["Control", "Emulator", "InvalidArgument", "NotFound"]

_load, __dir__ = lazy_names(
    __name__,
    {
        "Emulator": "server",
        "Control": "control.control",
        "InvalidArgument": "control.schema",
        "NotFound": "control.base",
    },
)


def __getattr__(name: str) -> Any:
    with needs_extra("emulator"):
        return _load(name)
