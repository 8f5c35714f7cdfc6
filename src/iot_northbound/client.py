"""NorthApiClient: the configuration, the connections and the token of one application; one property per service."""

import copy
import os
from collections.abc import Callable, Mapping
from enum import Enum
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar, cast

from iot_northbound._version import __version__
from iot_northbound.config import ClientInfo, HttpConfig, SharedConfig, must_be
from iot_northbound.core import forks
from iot_northbound.core.budget import NoLimit, RateLimit
from iot_northbound.core.clock import SYSTEM_CLOCK, Clock
from iot_northbound.core.endpoint import Endpoint
from iot_northbound.core.fields import shown
from iot_northbound.core.hooks import Hooks
from iot_northbound.core.keeping import Keeper, OwnToken
from iot_northbound.core.metrics import ClientMetrics, client_metrics
from iot_northbound.core.pipeline import CallOptions, Pipeline
from iot_northbound.core.retry import Backoff
from iot_northbound.core.sharing import Sharing
from iot_northbound.core.slot_sources import OwnSlots, SlotSource
from iot_northbound.core.tls import build_policy
from iot_northbound.core.tokens import Tokens
from iot_northbound.core.transport import Timeouts, Transport
from iot_northbound.errors import InvalidArgumentError
from iot_northbound.profiles import load_env, load_profile
from iot_northbound.ssl_config import SSLConfig
from iot_northbound.tokens import Grant, MemoryTokenStore, TokenStatus, TokenStore, granted

if TYPE_CHECKING:
    from iot_northbound.bulk import Bulk
    from iot_northbound.services.authentication import Authentication
    from iot_northbound.services.batch_process import BatchProcess
    from iot_northbound.services.data_collection import DataCollection
    from iot_northbound.services.device_group_management import DeviceGroupManagement
    from iot_northbound.services.device_management import DeviceManagement
    from iot_northbound.services.device_upgrade import DeviceUpgrade
    from iot_northbound.services.signal_delivery import SignalDelivery
    from iot_northbound.services.subscription_management import SubscriptionManagement

T = TypeVar("T")


class Keep(Enum):
    """Means "not given" if None has another meaning."""

    AS_IT_IS = "as it is"

    def __repr__(self) -> str:
        return self.value


class NorthApiClient:
    """A connection of one application to one platform, for any number of threads (reference 2.2.1).

    In a ``with`` statement it logs in, keeps its token fresh in the background, and closes everything at the end.
    Without one, call `start_timer` and `close`, or give each call your own token.

    Args:
        client_info: the platform's address and the application's credentials.
        ssl_config: certificates and host-name rule. Without it the client uses the system's trust store and sends no
            certificate.
        http: timeouts, pool, repeats, rate limit.
        shared: where the processes of this application share token and limit: file:/path, redis://host or
            postgresql://host/database. By default a client shares nothing.
        shared_away: what the client does without it; see `SharedConfig`.
        hooks: functions that are called at every attempt.
        token_store: where the token is kept, instead of `shared`; by default in this client's memory.
        clock: time; for tests.

    Raises:
        TlsError: a certificate file, password or key cannot be used (1006).
        InvalidArgumentError: an argument is of the wrong type (1007).
    """

    def __init__(
        self,
        client_info: ClientInfo,
        ssl_config: SSLConfig | None = None,
        http: HttpConfig | None = None,
        shared: str | SharedConfig | None = None,
        *,
        shared_away: Literal["fail", "alone"] | None = None,
        hooks: Hooks | None = None,
        token_store: TokenStore | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        must_be("client_info", client_info, ClientInfo)
        must_be("ssl_config", ssl_config, SSLConfig, None)
        must_be("http", http, HttpConfig, None)
        self.client_info = client_info
        self.clock = clock
        http = http or HttpConfig()
        policy = build_policy(ssl_config)
        self._options = CallOptions(Timeouts(http.connect_timeout, http.read_timeout), http.deadline, http.max_attempts)
        keeper: Keeper = OwnToken(token_store or MemoryTokenStore(), clock, client_info.app_id)
        slots: SlotSource = OwnSlots(clock)
        self._sharing: Sharing | None = None
        if (where := SharedConfig.of(shared, shared_away, instead_of=token_store)) is not None:
            application, secret = client_info.application, client_info.secret
            self._sharing = Sharing(where.shared, where.shared_away, application, secret, clock)
            keeper, slots = self._sharing.tokens, self._sharing.slots
        self._pipeline = Pipeline(
            Transport(client_info.base_url, policy, pool_size=http.pool_size, proxy=http.proxy),
            Tokens(self._login, self._refresh, keeper, clock),
            clock,
            headers={
                "User-Agent": f"iot-northbound/{__version__}",
                "Accept": "application/json",
                "Accept-Encoding": "gzip, deflate",
            },
            app_id=client_info.app_id,
            own_secrets=(client_info.secret,),
            hooks=hooks or Hooks(),
            rate_limit=RateLimit(http.calls_per_minute, clock, slots) if http.calls_per_minute else NoLimit(),
            backoff=Backoff(http.backoff_base, http.backoff_cap),
        )
        self._services: dict[str, Any] = {}
        forks.tell(self._pipeline)

    @classmethod
    def from_env(
        cls,
        environ: Mapping[str, str] | None = None,
        *,
        http: HttpConfig | None = None,
        hooks: Hooks | None = None,
        token_store: TokenStore | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> Self:
        """Return a client from variables ``IOT_NORTHBOUND_…`` (see `load_env`); `http` replaces their HttpConfig."""
        return cls(*load_env(environ).with_http(http), hooks=hooks, token_store=token_store, clock=clock)

    @classmethod
    def from_profile(
        cls,
        path: str | os.PathLike[str],
        name: str = "default",
        *,
        http: HttpConfig | None = None,
        hooks: Hooks | None = None,
        token_store: TokenStore | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> Self:
        """Return a client from a table of a TOML file (see `load_profile`); `http` replaces its HttpConfig."""
        return cls(*load_profile(path, name).with_http(http), hooks=hooks, token_store=token_store, clock=clock)

    def with_options(
        self,
        *,
        timeout: float | tuple[float | None, float | None] | None = None,
        connect_timeout: float | None = None,
        read_timeout: float | None = None,
        deadline: float | Keep | None = Keep.AS_IT_IS,
        max_attempts: int | None = None,
    ) -> Self:
        """Return the same client with other limits. It uses the same connections and the same token.

        An argument that is left out changes nothing.

        Args:
            timeout: a short form for the next two: one number for both, or a pair.
            connect_timeout: seconds to wait for a connection.
            read_timeout: seconds to wait for the next byte of an answer.
            deadline: seconds for a whole call; None: no limit.
            max_attempts: how often a request is tried at most.

        Raises:
            InvalidArgumentError: a value is out of its range, or a time is given twice (1007).
        """
        now = self._options
        if timeout is not None:
            if connect_timeout is not None or read_timeout is not None:
                rule = "connect_timeout or read_timeout is given too: use only one of the two ways"
                raise InvalidArgumentError.of("timeout", shown(timeout), rule)
            pair = timeout if isinstance(timeout, tuple) else (timeout, timeout)
            if len(pair) != 2:
                raise InvalidArgumentError.of(
                    "timeout", shown(timeout), "it must be a number or a pair (connect, read)"
                )
            connect_timeout, read_timeout = pair
        checked = HttpConfig(
            connect_timeout=now.timeouts.connect if connect_timeout is None else connect_timeout,
            read_timeout=now.timeouts.read if read_timeout is None else read_timeout,
            deadline=now.deadline if deadline is Keep.AS_IT_IS else deadline,
            max_attempts=now.max_attempts if max_attempts is None else max_attempts,
        )
        view = copy.copy(self)
        view._services = {}
        view._options = CallOptions(
            Timeouts(checked.connect_timeout, checked.read_timeout), checked.deadline, checked.max_attempts
        )
        return view

    # -- services ----------------------------------------------------------------------------------------------------

    def _service(self, name: str, make: Callable[[], Any]) -> Any:
        service = self._services.get(name)
        if service is None:
            service = self._services[name] = make()
        return service

    @property
    def authentication(self) -> "Authentication":
        """Login, refresh and token timer."""
        from iot_northbound.services.authentication import Authentication

        return cast(Authentication, self._service("authentication", lambda: Authentication(self)))

    @property
    def device_management(self) -> "DeviceManagement":
        """Register, change and delete devices, and use their shadows."""
        from iot_northbound.services.device_management import DeviceManagement

        return cast(DeviceManagement, self._service("device_management", lambda: DeviceManagement(self)))

    @property
    def data_collection(self) -> "DataCollection":
        """Query devices, their data, its history, and their capabilities."""
        from iot_northbound.services.data_collection import DataCollection

        return cast(DataCollection, self._service("data_collection", lambda: DataCollection(self)))

    @property
    def signal_delivery(self) -> "SignalDelivery":
        """Send commands to devices, and follow and cancel them."""
        from iot_northbound.services.signal_delivery import SignalDelivery

        return cast(SignalDelivery, self._service("signal_delivery", lambda: SignalDelivery(self)))

    @property
    def batch_process(self) -> "BatchProcess":
        """Run one command for many devices."""
        from iot_northbound.services.batch_process import BatchProcess

        return cast(BatchProcess, self._service("batch_process", lambda: BatchProcess(self)))

    @property
    def subscription_management(self) -> "SubscriptionManagement":
        """Say what the platform should push, and to which URL."""
        from iot_northbound.services.subscription_management import SubscriptionManagement

        return cast(
            SubscriptionManagement, self._service("subscription_management", lambda: SubscriptionManagement(self))
        )

    @property
    def device_group_management(self) -> "DeviceGroupManagement":
        """Put devices into groups."""
        from iot_northbound.services.device_group_management import DeviceGroupManagement

        return cast(
            DeviceGroupManagement, self._service("device_group_management", lambda: DeviceGroupManagement(self))
        )

    @property
    def device_upgrade(self) -> "DeviceUpgrade":
        """Upgrade the software and firmware of devices."""
        from iot_northbound.services.device_upgrade import DeviceUpgrade

        return cast(DeviceUpgrade, self._service("device_upgrade", lambda: DeviceUpgrade(self)))

    @property
    def bulk(self) -> "Bulk":
        """Work on many devices; and ``with client.bulk():`` makes the calls of a block bulk calls."""
        from iot_northbound.bulk import Bulk

        return cast(
            Bulk,
            self._service("bulk", lambda: Bulk(self, self.client_info.application, self._pipeline.calls_per_minute)),
        )

    # -- used by the services ----------------------------------------------------------------------------------------

    def call(
        self,
        endpoint: Endpoint[T],
        ids: Mapping[str, str],
        *,
        query: Any = None,
        body: Any = None,
        access_token: str | None = None,
    ) -> T:
        """Return the result of an endpoint. The methods of the services are the typed way to do this.

        Raises:
            NorthApiException: the call failed; the subclass says how.
        """
        return self._pipeline.call(
            endpoint, ids, query=query, body=body, access_token=access_token, options=self._options
        )

    def credentials(self) -> tuple[str, str]:
        """Return the application's id and secret."""
        return self.client_info.app_id, self.client_info.secret

    def token_granted(
        self, access_token: str, refresh_token: str | None, expires_in: int | None, started: float
    ) -> None:
        """Use a token that the application got itself, if the timer is on or the token is shared."""
        self._pipeline.tokens.adopt(granted(access_token, refresh_token, expires_in, started))

    # -- token and life ----------------------------------------------------------------------------------------------

    @property
    def token_status(self) -> TokenStatus:
        """The state of the token and of the timer, and the last failure."""
        return self._pipeline.tokens.status()

    @property
    def metrics(self) -> ClientMetrics:
        """What was counted about token and limit. This asks nobody."""
        return client_metrics(self._pipeline.tokens.renewals, self._pipeline.limit_stats, self._sharing)

    @property
    def connections_opened(self) -> int:
        """How many connections to the platform were opened so far."""
        return self._pipeline.transport.connections_opened

    def start_timer(self) -> None:
        """Log in and keep the token fresh in the background.

        Raises:
            NorthApiException: the login failed.
        """
        self._pipeline.check_open()
        self._pipeline.tokens.start()

    def stop_timer(self) -> None:
        """End the background renewal and forget the token. A shared one stays for the other processes."""
        self._pipeline.tokens.stop()

    def probe(self) -> str:
        """Send a request to the platform's root, and return in words that TLS works. The answer itself does not matter.

        Raises:
            NorthApiException: no answer came. A `TlsError` says which side refused and why.
        """
        return self._pipeline.probe(self._options)

    @property
    def is_closed(self) -> bool:
        """Whether `close` was called."""
        return self._pipeline.is_closed

    def close(self) -> None:
        """End the background renewal, forget the token and close the connections. It can be called twice.

        A shared token stays for the other processes.
        """
        try:
            self._pipeline.close()
        finally:
            if self._sharing is not None:
                self._sharing.state.close()

    def __enter__(self) -> Self:
        self.start_timer()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<NorthApiClient {self.client_info.app_id} at {self.client_info.base_url}>"

    def _login(self, until: float | None) -> Grant:
        from iot_northbound.services.authentication import LOGIN

        app_id, secret = self.credentials()
        started = self.clock.now()
        answer = self._pipeline.call(
            LOGIN, {}, body={"appId": app_id, "secret": secret}, options=self._options, until=until
        )
        return granted(answer.access_token, answer.refresh_token, answer.expires_in, started)

    def _refresh(self, refresh_token: str, until: float | None) -> Grant:
        from iot_northbound.services.authentication import REFRESH

        app_id, secret = self.credentials()
        started = self.clock.now()
        body = {"appId": app_id, "secret": secret, "refreshToken": refresh_token}
        answer = self._pipeline.call(REFRESH, {}, body=body, options=self._options, until=until)
        return granted(answer.access_token, answer.refresh_token, answer.expires_in, started)
