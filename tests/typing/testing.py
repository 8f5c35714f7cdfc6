"""The emulator and the help for tests, as a type checker sees them: `make check` reads this; nothing runs it."""

from typing import assert_type

from iot_northbound.emulator import Control, Emulator
from iot_northbound.error_codes import ErrorCode, explain
from iot_northbound.testing.messages import push_body

with Emulator() as emulator:
    assert_type(emulator, Emulator)
    assert_type(emulator.control, Control)
    assert_type(emulator.app_id, str)
    Emulator(port="8743")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]

assert_type(explain("100203"), ErrorCode | None)
assert_type(push_body("deviceAdded"), bytes)
