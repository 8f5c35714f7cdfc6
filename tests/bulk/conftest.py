"""A platform for the tests of bulk jobs, and clients of it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from iot_northbound import HttpConfig, NorthApiClient
from iot_northbound.emulator import Emulator
from iot_northbound.profiles import load_profile


@pytest.fixture(scope="session")
def one_platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with Emulator(port=0, control_port=None, folder=tmp_path_factory.mktemp("bulk")) as running:
        yield running


@pytest.fixture
def platform(one_platform: Emulator) -> Iterator[Emulator]:
    before = one_platform.control.settings()
    one_platform.control.reset()
    one_platform.control.clear_journal()
    yield one_platform
    one_platform.control.reset()
    one_platform.control.change_settings(**{name: before[name] for name in ("license_limit",)})


@pytest.fixture
def connect(platform: Emulator) -> Iterator[Callable[..., NorthApiClient]]:
    """Make a client; keywords are those of HttpConfig and of the client."""
    with ExitStack() as stack:

        def make(**rest: Any) -> NorthApiClient:
            info, tls, *_ = load_profile(platform.profile_path)
            own = {name: rest.pop(name) for name in ("clock", "hooks", "shared") if name in rest}
            http = HttpConfig(**{"max_attempts": 1, "connect_timeout": 20, "read_timeout": 20, **rest})
            return stack.enter_context(NorthApiClient(info, tls, http, **own))

        yield make


@pytest.fixture
def client(connect: Callable[..., NorthApiClient]) -> NorthApiClient:
    return connect()


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "job.journal"
