"""Each engine in turn."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.shared.engines import ENGINES, Engine, engine


@pytest.fixture(params=ENGINES)
def shared(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    with engine(request.param, request, tmp_path) as one:
        yield one
