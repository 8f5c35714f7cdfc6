"""BasicTest: does everything between this machine and a working registration stand, and if not, what doesn't?"""

import contextlib
import random
import socket
import sys
from collections.abc import Callable, Iterator
from typing import Any, TextIO

import attrs

from iot_northbound.client import NorthApiClient
from iot_northbound.config import ClientInfo, HttpConfig
from iot_northbound.core.clock import SYSTEM_CLOCK, Clock
from iot_northbound.core.tls import build_policy
from iot_northbound.dto.authentication import AuthRefreshInDTO
from iot_northbound.dto.data_collection import QueryBatchDevicesInfoInDTO
from iot_northbound.dto.device_management import ModifyDeviceInforInDTO, RegDirectDeviceInDTO2
from iot_northbound.errors import ConnectionFailedError, NorthApiException, RequestTimeoutError, SdkCode
from iot_northbound.ssl_config import SSLConfig

STEPS = (
    "certificate files",
    "platform address",
    "TLS handshake",
    "login",
    "token refresh",
    "register a test device",
    "change the test device",
    "delete the test device",
)


@attrs.frozen(kw_only=True)
class Step:
    """One check and how it went."""

    name: str
    passed: bool | None
    """None where an earlier failure left nothing to check."""
    seconds: float
    detail: str = ""
    cause: str = ""
    remedy: str = ""

    @property
    def mark(self) -> str:
        """[Y] for passed, [X] for failed, [-] for not tried."""
        return {True: "[Y]", False: "[X]", None: "[-]"}[self.passed]

    def line(self) -> str:
        """Return the step as a person reads it."""
        head = f"{self.mark} {self.name:24} {self.seconds * 1000:6.0f} ms  {self.detail}".rstrip()
        if self.passed is not False:
            return head
        notes = [("likely cause", self.cause), ("what to do", self.remedy)]
        return "\n".join([head, *(f"      {label}: {text}" for label, text in notes if text)])


@attrs.frozen(kw_only=True)
class Report:
    """All checks of one run."""

    platform: str
    steps: tuple[Step, ...]

    @property
    def passed(self) -> bool:
        """Whether every step passed."""
        return all(step.passed for step in self.steps)

    def as_json(self) -> dict[str, Any]:
        """Return the report as JSON-able data."""
        steps = [attrs.asdict(step) for step in self.steps]
        return {"platform": self.platform, "passed": self.passed, "steps": steps}


class _Failed(Exception):
    """The step's failure is noted; the run ends here."""


class BasicTest:
    """The connectivity check (reference 2.2.5)."""

    @staticmethod
    def begin_basic_test(
        platform_ip: str,
        platform_port: int | str,
        app_id: str,
        secret: str,
        ssl_config: SSLConfig | None = None,
        *,
        http: HttpConfig | None = None,
        on_step: Callable[[Step], None] | None = None,
        out: TextIO | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> Report:
        """Try every step from the certificate files to deleting a device, tell each, and return the report.

        The test device's node id is `test123` and seven digits; it is deleted whatever happens. A failure is told in
        the report and raises nothing.

        Args:
            platform_ip: the platform's host name or address.
            platform_port: its port.
            app_id: the application's id.
            secret: its secret.
            ssl_config: certificates; without it the system's trust store counts and no certificate is shown.
            http: timeouts; by default the client's own, with a single attempt.
            on_step: called with each step as it ends, in place of printing.
            out: where the lines go by default; standard output unless told otherwise.
            clock: time; for tests.

        Raises:
            InvalidArgumentError: address or credentials cannot be such (1007, 1008, 1010).
        """
        info = ClientInfo(platform_ip=platform_ip, platform_port=platform_port, app_id=app_id, secret=secret)
        stream = out or sys.stdout
        tell = on_step or (lambda step: print(step.line(), file=stream, flush=True))
        return _Run(info, ssl_config, http or HttpConfig(max_attempts=1), tell, clock).run()


class _Run:
    def __init__(
        self,
        info: ClientInfo,
        ssl_config: SSLConfig | None,
        http: HttpConfig,
        tell: Callable[[Step], None],
        clock: Clock,
    ) -> None:
        self._info = info
        self._ssl_config = ssl_config
        self._http = http
        self._tell = tell
        self._clock = clock
        self._steps: list[Step] = []
        self._node_id = f"test123{random.randrange(10**7):07d}"  # noqa: S311  # a name, no secret
        self._device_id: str | None = None
        self._deleted = False
        self._token = ""

    def run(self) -> Report:
        with contextlib.suppress(_Failed):
            self._try_all()
        for name in STEPS[len(self._steps) :]:
            self._note(Step(name=name, passed=None, seconds=0.0, detail="not tried, an earlier step failed"))
        return Report(platform=self._info.base_url, steps=tuple(self._steps))

    def _note(self, step: Step) -> None:
        self._steps.append(step)
        self._tell(step)

    @contextlib.contextmanager
    def _step(self) -> Iterator[list[str]]:
        """Time the next step of STEPS; what is put into the yielded list becomes its detail."""
        name, detail = STEPS[len(self._steps)], list[str]()
        started = self._clock.monotonic()
        try:
            yield detail
        except NorthApiException as error:
            self._note(
                Step(
                    name=name,
                    passed=False,
                    seconds=self._clock.monotonic() - started,
                    detail=_said(error),
                    cause=error.cause,
                    remedy=error.remedy,
                )
            )
            raise _Failed from error
        seconds = self._clock.monotonic() - started
        self._note(Step(name=name, passed=True, seconds=seconds, detail=" ".join(detail)))

    def _try_all(self) -> None:
        with self._step() as detail:
            policy = build_policy(self._ssl_config)
            detail.append("with a client certificate" if policy.shows_certificate else "no client certificate given")
        with self._step() as detail:
            detail.append(_reach(self._info, self._http.connect_timeout))
        client = NorthApiClient(self._info, self._ssl_config, self._http, clock=self._clock)
        try:
            with self._step() as detail:
                detail.append(client.probe())
            with self._step() as detail:
                granted = client.authentication.get_auth_token()
                self._token = granted.access_token or ""
                detail.append(f"token valid for {granted.expires_in} s")
            with self._step() as detail:
                detail.append(self._refresh(client, granted.refresh_token))
            self._device(client)
        finally:
            client.close()

    def _refresh(self, client: NorthApiClient, refresh_token: str | None) -> str:
        if not refresh_token:
            return "the platform gives no refresh token; clients log in anew instead"
        app_id, secret = client.credentials()
        dto = AuthRefreshInDTO(app_id=app_id, secret=secret, refresh_token=refresh_token)
        renewed = client.authentication.refresh_auth_token(dto)
        self._token = renewed.access_token or self._token
        return f"token valid for {renewed.expires_in} s"

    def _device(self, client: NorthApiClient) -> None:
        devices = client.device_management
        try:
            with self._step() as detail:
                made = devices.reg_direct_device(RegDirectDeviceInDTO2(node_id=self._node_id), access_token=self._token)
                self._device_id = made.device_id
                detail.append(f"node id {self._node_id}, device id {made.device_id}")
            with self._step() as detail:
                change = ModifyDeviceInforInDTO(name=f"basic test {self._node_id}")
                devices.modify_device_info(change, self._device_id or "", access_token=self._token)
                detail.append("its name")
            with self._step():
                devices.delete_direct_device(self._device_id or "", access_token=self._token)
                self._device_id, self._deleted = None, True
        finally:
            self._clean_up(client)

    def _clean_up(self, client: NorthApiClient) -> None:
        """Delete the test device where a failed or interrupted step left it behind."""
        if self._deleted:
            return
        with contextlib.suppress(NorthApiException):
            if self._device_id is None:
                # Whether the registration arrived is not known; the device, if it exists, carries our node id.
                for device in client.data_collection.iter_devices(
                    QueryBatchDevicesInfoInDTO(page_size=100, sort="DESC"), access_token=self._token
                ):
                    if device.device_info is not None and device.device_info.node_id == self._node_id:
                        self._device_id = device.device_id
                        break
            if self._device_id is not None:
                client.device_management.delete_direct_device(self._device_id, access_token=self._token)


def _said(error: NorthApiException) -> str:
    status = f" (HTTP {error.http_status_code})" if error.http_status_code is not None else ""
    return f"{error.error_code}{status}: {error.error_desc}"


def _reach(info: ClientInfo, timeout: float) -> str:
    """Return where the platform listens, once a plain connection to it stood."""
    where = f"{info.platform_ip}:{info.platform_port}"
    try:
        with socket.create_connection((info.platform_ip, info.platform_port), timeout=timeout) as connection:
            return f"{where} is {connection.getpeername()[0]}"
    except socket.gaierror:
        raise ConnectionFailedError(SdkCode.NO_ANSWER, f"the name {info.platform_ip!r} is not known to DNS") from None
    except TimeoutError:
        raise RequestTimeoutError(
            SdkCode.NO_ANSWER, f"{where} does not answer within {timeout:g} s: is a firewall in between?"
        ) from None
    except ConnectionRefusedError:
        raise ConnectionFailedError(
            SdkCode.NO_ANSWER, f"{where} refuses connections: nothing listens there, so check address and port"
        ) from None
    except OSError as error:
        raise ConnectionFailedError(
            SdkCode.NO_ANSWER, f"{where} cannot be reached: {error.strerror or error}"
        ) from None
