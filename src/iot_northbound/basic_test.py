"""BasicTest: checks every step from this machine to a registered device, and says which one fails and why."""

import contextlib
import itertools
import random
import socket
import sys
from collections.abc import Callable, Iterator
from typing import Any, TextIO
from urllib.parse import urlsplit

import attrs

from iot_northbound.client import NorthApiClient
from iot_northbound.config import ClientInfo, HttpConfig
from iot_northbound.core.clock import SYSTEM_CLOCK, Clock
from iot_northbound.core.handshake import closed_without_a_word
from iot_northbound.diagnosis import diagnose
from iot_northbound.dto.authentication import AuthRefreshInDTO
from iot_northbound.dto.data_collection import QueryBatchDevicesInfoInDTO
from iot_northbound.dto.device_management import ModifyDeviceInforInDTO, RegDirectDeviceInDTO2
from iot_northbound.errors import (
    BadTokenError,
    ConnectionFailedError,
    NorthApiException,
    NotFoundError,
    RequestTimeoutError,
    SdkCode,
    TlsError,
    UnreadableAnswerError,
)
from iot_northbound.services.device_management import DeviceManagement
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
CLEAN_UP = "clean up"
"""The step after these, if they may have left the test device behind."""
FORGOTTEN = 180
"""Seconds after which the platform forgets a device that never connected, if the registration sets no other time."""
PAUSES = (1.0, 2.0)
"""Seconds between the attempts to clean up."""
LONGEST_PAUSE = 30.0
NEWEST = 1000
"""How many of the newest devices are searched for one whose registration gave no answer."""


@attrs.frozen(kw_only=True)
class Step:
    """One check and its result."""

    name: str
    passed: bool | None
    """None if it was not tried because an earlier step failed."""
    seconds: float
    detail: str = ""
    cause: str = ""
    remedy: str = ""

    @property
    def mark(self) -> str:
        """[Y] for passed, [X] for failed, [-] for not tried."""
        return {True: "[Y]", False: "[X]", None: "[-]"}[self.passed]

    def line(self) -> str:
        """Return the step as text."""
        took = "" if self.passed is None else f"{self.seconds * 1000:.0f} ms"
        lines = [f"{self.mark} {self.name:24} {took:>9}  {self.detail}".rstrip()]
        if self.passed is False:
            lines += [f"      likely cause: {self.cause}", f"      what to do: {self.remedy}"]
        # Text from a server must not control the terminal.
        return "\n".join("".join(each if each.isprintable() else "?" for each in line) for line in lines)


@attrs.frozen(kw_only=True)
class Report:
    """All checks of one run, in order."""

    platform: str
    steps: tuple[Step, ...]

    @property
    def passed(self) -> bool:
        """Whether every step passed."""
        return all(step.passed for step in self.steps)

    def as_json(self) -> dict[str, Any]:
        """Return the report as data for JSON."""
        steps = [attrs.asdict(step) for step in self.steps]
        return {"platform": self.platform, "passed": self.passed, "steps": steps}


class _Failed(Exception):
    """A step has failed and is noted; the run ends here."""


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
        """Try every step from the certificate files to the deletion of a device, print each, and return the report.

        The test device's node id is `test123` and seven digits. It is deleted in any case, also after an interruption.
        If this takes more than the step itself, a last step `clean up` has the result. A failed step raises no
        exception.

        The login ends the token of a running program with the same application id, which then logs in again.

        Args:
            platform_ip: the platform's host name or address.
            platform_port: its port.
            app_id: the application's id.
            secret: its secret.
            ssl_config: certificates. Without it the system's trust store is used and no certificate is sent.
            http: timeouts and proxy; by default those of the client, with a single attempt.
            on_step: called with each step when it has ended, in place of printing.
            out: where the lines are printed; by default the standard output.
            clock: time; for tests.

        Raises:
            InvalidArgumentError: the address or the credentials are not valid (1007, 1008, 1010).
        """
        info = ClientInfo(platform_ip=platform_ip, platform_port=platform_port, app_id=app_id, secret=secret)
        stream = out or sys.stdout
        report = on_step or (lambda step: print(step.line(), file=stream, flush=True))
        return _Run(info, ssl_config, http or HttpConfig(max_attempts=1), report, clock).run()


class _Run:
    def __init__(
        self,
        info: ClientInfo,
        ssl_config: SSLConfig | None,
        http: HttpConfig,
        on_step: Callable[[Step], None],
        clock: Clock,
    ) -> None:
        self._info = info
        self._ssl_config = ssl_config
        self._http = http
        self._on_step = on_step
        self._clock = clock
        self._steps: list[Step] = []
        self._client: NorthApiClient | None = None
        self._token = ""
        self._node_id = f"test123{random.randrange(10**7):07d}"  # noqa: S311  # a name, not a secret
        self._device_id = ""
        self._may_exist = False
        """Whether the platform may have the test device."""

    def run(self) -> Report:
        try:
            with contextlib.suppress(_Failed):
                self._try_all()
            for name in STEPS[len(self._steps) :]:
                self._note(Step(name=name, passed=None, seconds=0.0, detail="not tried, an earlier step failed"))
        finally:
            if self._client is not None:
                try:
                    self._clean_up(self._client)
                finally:
                    self._client.close()
        return Report(platform=self._info.base_url, steps=tuple(self._steps))

    def _note(self, step: Step) -> None:
        self._steps.append(step)
        self._on_step(step)

    def _failed(self, name: str, started: float, error: NorthApiException) -> None:
        detail, cause, remedy = diagnose(error)
        seconds = self._clock.monotonic() - started
        self._note(Step(name=name, passed=False, seconds=seconds, detail=detail, cause=cause, remedy=remedy))

    @contextlib.contextmanager
    def _step(self) -> Iterator[list[str]]:
        """Time the next step of STEPS. The texts in the yielded list become its detail."""
        name, detail = STEPS[len(self._steps)], list[str]()
        started = self._clock.monotonic()
        try:
            yield detail
        except NorthApiException as error:
            self._failed(name, started, error)
            raise _Failed from error
        seconds = self._clock.monotonic() - started
        self._note(Step(name=name, passed=True, seconds=seconds, detail="; ".join(detail)))

    def _try_all(self) -> None:
        with self._step() as detail:
            self._client = client = NorthApiClient(self._info, self._ssl_config, self._http, clock=self._clock)
            detail += _files(self._ssl_config or SSLConfig())
        with self._step() as detail:
            detail.append(_reach(self._info, self._http))
        with self._step() as detail:
            detail.append(self._shake_hands(client))
        with self._step() as detail:
            granted = client.authentication.get_auth_token()
            self._token = granted.access_token
            detail.append(f"token valid for {granted.expires_in} s")
        with self._step() as detail:
            detail.append(self._refresh(client, granted.refresh_token))
        self._try_device(client.device_management)

    def _shake_hands(self, client: NorthApiClient) -> str:
        try:
            return client.probe()
        except ConnectionFailedError as error:
            if not error.request_sent:
                raise
            # With TLS 1.3 a server checks our certificate after the handshake, and some then hang up without a word.
            shows = self._ssl_config is not None and self._ssl_config.self_cert_path is not None
            why = closed_without_a_word(shows)
            desc = f"{error.error_desc}: {why}"
            raise TlsError(SdkCode.NO_ANSWER, desc, reason=why.reason, likely=why[1:]) from error

    def _refresh(self, client: NorthApiClient, refresh_token: str | None) -> str:
        if not refresh_token:
            return "the platform gives no refresh token; clients log in again instead"
        app_id, secret = client.credentials()
        dto = AuthRefreshInDTO(app_id=app_id, secret=secret, refresh_token=refresh_token)
        renewed = client.authentication.refresh_auth_token(dto)
        self._token = renewed.access_token
        return f"token valid for {renewed.expires_in} s"

    def _try_device(self, devices: DeviceManagement) -> None:
        with self._step() as detail:
            self._device_id = self._register(devices)
            detail.append(f"node id {self._node_id}, device id {self._device_id}")
        with self._step() as detail:
            change = ModifyDeviceInforInDTO(name=f"basic test {self._node_id}")
            devices.modify_device_info(change, self._device_id, access_token=self._token)
            detail.append("its name")
        with self._step():
            devices.delete_direct_device(self._device_id, access_token=self._token)
            self._may_exist = False

    def _register(self, devices: DeviceManagement) -> str:
        self._may_exist = True
        try:
            made = devices.reg_direct_device(RegDirectDeviceInDTO2(node_id=self._node_id), access_token=self._token)
        except NorthApiException as error:
            self._may_exist = error.outcome_unknown
            raise
        if not made.device_id:
            raise UnreadableAnswerError(SdkCode.UNREADABLE, "the registration's answer has no deviceId")
        return made.device_id

    # -- clean up --------------------------------------------------------------------------------------------

    def _clean_up(self, client: NorthApiClient) -> None:
        """Delete the test device if a failed or interrupted step may have left it behind."""
        if not self._may_exist:
            return
        started = self._clock.monotonic()
        try:
            detail = self._remove(client)
        except NorthApiException as error:
            detail, cause, _ = diagnose(error)
            self._left_behind(started, detail, cause)
        except BaseException:
            self._left_behind(started, "interrupted", "The clean-up was interrupted.")
            raise
        else:
            seconds = self._clock.monotonic() - started
            self._note(Step(name=CLEAN_UP, passed=True, seconds=seconds, detail=detail))

    def _left_behind(self, started: float, detail: str, cause: str) -> None:
        which = f"the device with node id {self._node_id}" + (f" (id {self._device_id})" if self._device_id else "")
        remedy = f"Delete {which} by hand; the platform forgets a device that never connects after {FORGOTTEN} s."
        seconds = self._clock.monotonic() - started
        self._note(Step(name=CLEAN_UP, passed=False, seconds=seconds, detail=detail, cause=cause, remedy=remedy))

    def _remove(self, client: NorthApiClient) -> str:
        for pause in (*PAUSES, None):
            try:
                return self._remove_once(client)
            except NorthApiException as error:
                if pause is None:
                    raise
                if isinstance(error, BadTokenError):
                    with contextlib.suppress(NorthApiException):
                        self._token = client.authentication.get_auth_token().access_token
                self._clock.sleep(max(pause, min(error.retry_after or 0.0, LONGEST_PAUSE)))
        raise AssertionError("not reached: the last round returns or raises")

    def _remove_once(self, client: NorthApiClient) -> str:
        device_id = self._device_id or self._find(client)
        if not device_id:
            return "nothing to do, the registration did not arrive"
        self._device_id = device_id
        try:
            client.device_management.delete_direct_device(device_id, access_token=self._token)
        except NotFoundError:
            return "the test device was deleted already"
        return "the test device is deleted"

    def _find(self, client: NorthApiClient) -> str | None:
        """Return the id of the device with our node id, if the platform has it. It must be one of the newest."""
        newest = QueryBatchDevicesInfoInDTO(page_size=100, sort="DESC")
        devices = client.data_collection.iter_devices(newest, access_token=self._token)
        for device in itertools.islice(devices, NEWEST):
            if device.device_info is not None and device.device_info.node_id == self._node_id:
                return device.device_id
        return None


def _files(config: SSLConfig) -> Iterator[str]:
    """Yield the use of each file that was read."""
    yield f"certificate {config.self_cert_path.name}" if config.self_cert_path else "no client certificate"
    if config.insecure_skip_verification:
        yield "SERVER NOT VERIFIED"
    else:
        yield f"trusting {config.trust_ca_path.name}" if config.trust_ca_path else "trusting the system's CAs"


def _reach(info: ClientInfo, http: HttpConfig) -> str:
    """Make a plain connection to the platform, or to its proxy, and return its address in words."""
    host, port, which = info.platform_ip, info.platform_port, ""
    if http.proxy is not None:
        parts = urlsplit(http.proxy)
        host, port, which = parts.hostname or "", parts.port or 80, "the proxy "
    where = f"{which}{host}:{port}"
    try:
        with socket.create_connection((host, port), timeout=http.connect_timeout) as connection:
            address = connection.getpeername()[0]
            return f"{where} takes connections" + (f" at {address}" if address != host else "")
    except (socket.gaierror, UnicodeError) as error:
        # UnicodeError: the name has a part that is not allowed in a DNS name.
        raise ConnectionFailedError(SdkCode.NO_ANSWER, f"no address is known for the name {host!r}") from error
    except TimeoutError as error:
        desc = f"no connection to {where} within {http.connect_timeout:g} s"
        raise RequestTimeoutError(SdkCode.NO_ANSWER, desc) from error
    except ConnectionRefusedError as error:
        raise ConnectionFailedError(SdkCode.NO_ANSWER, f"{where} refuses connections") from error
    except OSError as error:
        desc = f"{where} cannot be reached: {error.strerror or error}"
        raise ConnectionFailedError(SdkCode.NO_ANSWER, desc) from error
