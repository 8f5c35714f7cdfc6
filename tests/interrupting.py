"""Raises an exception between any two steps of some code, as a signal handler may do."""

import gc
import sys
import threading
from collections.abc import Callable
from types import FrameType, ModuleType
from typing import Any


class SoftTimeLimit(Exception):
    """What the signal handler of a job raises when the job's time is over."""


class Interrupter:
    """Runs work, and raises once, before step number `at`.

    Steps are the lines of the given modules, and also their bytecodes if `finely` is set.
    """

    def __init__(self, modules: list[ModuleType], at: int, error: BaseException, *, finely: bool = False) -> None:
        self._files = {module.__file__ for module in modules}
        self._at = at
        self._error = error
        self._finely = finely
        self.steps = 0

    def __call__(self, work: Callable[[], Any]) -> BaseException | None:
        """Return what the work ended with. It runs in its own thread.

        A step may be one that no signal interrupts, while an `except` block is left. Then the interpreter treats the
        exception of that block as still being handled, until the thread ends.
        """
        ended: list[BaseException] = []

        def run() -> None:
            self._arm()
            try:
                work()
            except BaseException as error:  # noqa: BLE001  # it is what the test looks at
                ended.append(error)
            finally:
                self._disarm()

        collecting = gc.isenabled()
        gc.disable()  # an exception in a finalizer would be lost
        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        thread.join(60)
        if collecting:
            gc.enable()
        assert not thread.is_alive(), "it hangs"
        return ended[0] if ended else None

    def _arm(self) -> None:
        sys.settrace(self._trace)

    def _disarm(self) -> None:
        sys.settrace(None)

    @property
    def struck(self) -> bool:
        return self.steps >= self._at

    def _trace(self, frame: FrameType, event: str, argument: Any) -> Any:
        if frame.f_code.co_filename not in self._files:
            return None
        frame.f_trace_opcodes = self._finely
        if event in ("line", "opcode"):
            self.steps += 1
            if self.steps == self._at:
                raise self._error
        return self._trace


class SignalInterrupter(Interrupter):
    """The same, with only those steps at which Python runs signal handlers.

    These are the beginning of a Python function, and the return of a call into C. So code of the standard library can
    be among them: at any other step an exception would leave a lock held that no signal could. The start of a thread is
    left out: there Python itself waits for an event, and an exception in it leaves a new thread that never runs.
    """

    def _arm(self) -> None:
        sys.setprofile(self._profile)

    def _disarm(self) -> None:
        sys.setprofile(None)

    def _profile(self, frame: FrameType, event: str, argument: Any) -> None:
        if event in ("call", "c_return") and frame.f_code.co_filename in self._files:
            if _starts_a_thread(frame):
                return
            self.steps += 1
            if self.steps == self._at:
                raise self._error


def _starts_a_thread(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code is threading.Thread.start.__code__:
            return True
        frame = frame.f_back
    return False
