"""What engines on other machines have in common, on one that is none."""

from collections.abc import Callable, Mapping

import pytest

from iot_northbound.errors import SharedStateError
from iot_northbound.shared.remote import Look, RefusedError, RemoteState
from iot_northbound.shared.slots import Turn
from iot_northbound.shared.state import StateAwayError


class Engine(RemoteState):
    """`look` and `change` are the test's."""

    def __init__(self) -> None:
        super().__init__("engine:", 5.0)
        self.look: Callable[[], Look] = lambda: Look(1000.0, None, 0, False, [])
        self.change: Callable[[str, Mapping[str, float | None]], bool] = lambda flow, changes: True

    def _look(self, id: str) -> Look:
        return self.look()

    def _change(self, look: Look, flow: str, now: float, changes: Mapping[str, float | None]) -> bool:
        return self.change(flow, changes)

    def ask(self) -> bool:
        return self.take("me", Turn.CALL, 10, 100.0, "x").granted


@pytest.fixture
def engine() -> Engine:
    return Engine()


def failing(error: Exception) -> Callable[[], Look]:
    def look() -> Look:
        raise error

    return look


def test_a_step_looks_again_until_nobody_else_changed_anything(engine: Engine) -> None:
    looks = iter([Look(1000.0, None, 0, False, []), Look(1001.0, None, 3, False, [1050.0] * 3)])
    answers = iter([False, True])
    changes: list[Mapping[str, float | None]] = []
    engine.look = lambda: next(looks)
    engine.change = lambda flow, change: changes.append(change) or next(answers)  # type: ignore[func-returns-value]
    assert engine.ask()
    assert changes == [{"x": 1100.0}, {"x": 1101.0}]


def test_what_refuses_us_is_an_error_until_it_worked_once(engine: Engine) -> None:
    look = engine.look
    engine.look = failing(RefusedError("wrong password"))
    for _ in range(2):
        with pytest.raises(SharedStateError, match="the shared state engine: cannot be used: wrong password"):
            engine.ask()
    engine.look = look
    assert engine.ask()
    engine.look = failing(RefusedError("wrong password"))
    with pytest.raises(StateAwayError, match="wrong password"):
        engine.ask()


def test_an_error_of_the_program_is_no_engine_that_is_away(engine: Engine) -> None:
    look = engine.look
    engine.look = failing(ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        engine.ask()
    engine.look = look
    assert engine.ask()
