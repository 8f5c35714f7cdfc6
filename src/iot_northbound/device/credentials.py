"""Who a device is: its client id, user name and password for one attempt to connect (reference 8.2.2)."""

import hashlib
import hmac
from datetime import UTC, datetime
from typing import Self

import attrs

from iot_northbound._hide import hide
from iot_northbound.errors import InvalidArgumentError

LONGEST_CLIENT_ID = 256
BY_DEVICE_ID, BY_PRODUCT, BY_NODE_ID = 0, 1, 2
_UNCHECKED, _CHECKED = 0, 1


def stamp_of(now: float) -> str:
    """Return the UTC hour of this time in seconds since the epoch, as the ten digits YYYYMMDDHH."""
    return f"{datetime.fromtimestamp(now, UTC):%Y%m%d%H}"


def password_of(secret: str, stamp: str) -> str:
    """Return the HMAC-SHA256 of the secret, with the stamp as its key, as lower-case hex."""
    return hmac.new(stamp.encode(), secret.encode(), hashlib.sha256).hexdigest()


@attrs.frozen
class DeviceCredentials:
    """The id and the secret of a device, as its registration returned them (reference 1.4.2).

    Attributes:
        id: the id that the device logs in with, and that is in its topics: the deviceId, or the nodeId for
            `by_node_id`.
        secret: the device's secret.
        sign_type: 1: the platform compares the hour in the password with its own; 0: it does not.
        auth_type: 0 for a deviceId, 2 for a nodeId.
    """

    id: str
    secret: str = attrs.field(repr=hide)
    sign_type: int = attrs.field(default=_CHECKED, kw_only=True)
    auth_type: int = attrs.field(default=BY_DEVICE_ID, kw_only=True)

    def __attrs_post_init__(self) -> None:
        what = "node_id" if self.auth_type == BY_NODE_ID else "device_id"
        if not isinstance(self.id, str) or not self.id.strip():
            raise InvalidArgumentError.of(f"DeviceCredentials.{what}", repr(self.id)[:80], "it must be text, not empty")
        if any(each in self.id for each in "#+/\0"):
            raise InvalidArgumentError.of(
                f"DeviceCredentials.{what}", repr(self.id)[:80], "it is a part of topics: leave out #, +, / and NUL"
            )
        if not isinstance(self.secret, str) or not self.secret:
            raise InvalidArgumentError.of("DeviceCredentials.secret", "***", "it must be text, not empty")
        if self.sign_type not in (_UNCHECKED, _CHECKED) or isinstance(self.sign_type, bool):
            raise InvalidArgumentError.of(
                "DeviceCredentials.sign_type", repr(self.sign_type)[:80], "it must be 1 (the hour is checked) or 0"
            )
        if self.auth_type not in (BY_DEVICE_ID, BY_NODE_ID) or isinstance(self.auth_type, bool):
            raise InvalidArgumentError.of(
                "DeviceCredentials.auth_type", repr(self.auth_type)[:80], "it must be 0 (deviceId) or 2 (nodeId)"
            )
        try:
            self.id.encode()
            self.secret.encode()
        except UnicodeEncodeError:
            raise InvalidArgumentError.of(
                "DeviceCredentials", "***", "id and secret must be text that UTF-8 can express"
            ) from None
        if len(self.client_id(0)) > LONGEST_CLIENT_ID:
            raise InvalidArgumentError.of(
                f"DeviceCredentials.{what}",
                f"{self.id[:40]!r}…",
                f"with it the client id has {len(self.client_id(0))} characters; {LONGEST_CLIENT_ID} are allowed",
            )

    @classmethod
    def by_node_id(cls, node_id: str, secret: str, *, sign_type: int = _CHECKED) -> Self:
        """Return the credentials of a device that logs in with its nodeId."""
        return cls(node_id, secret, sign_type=sign_type, auth_type=BY_NODE_ID)

    @property
    def username(self) -> str:
        """The user name of CONNECT."""
        return self.id

    def client_id(self, now: float) -> str:
        """Return the client id for an attempt at this time, in seconds since the epoch."""
        return f"{self.id}_{self.auth_type}_{self.sign_type}_{stamp_of(now)}"

    def password(self, now: float) -> str:
        """Return the password for an attempt at this time, in seconds since the epoch."""
        return password_of(self.secret, stamp_of(now))


@attrs.frozen
class ProductCredentials:
    """The secret that all devices of a product model share, for a device that has none of its own yet.

    The field shows it; the reference only names the mode.
    """

    product_id: str
    node_id: str
    secret: str = attrs.field(repr=hide)
    sign_type: int = attrs.field(default=_CHECKED, kw_only=True)

    def __attrs_post_init__(self) -> None:
        for name, value in (("product_id", self.product_id), ("node_id", self.node_id)):
            DeviceCredentials(value, self.secret, sign_type=self.sign_type)  # the rules are the same
            if len(self.client_id(0)) > LONGEST_CLIENT_ID:
                raise InvalidArgumentError.of(name, f"{value[:40]!r}…", f"a client id has at most {LONGEST_CLIENT_ID}")

    @property
    def id(self) -> str:
        """Who it is, for people."""
        return f"{self.product_id}/{self.node_id}"

    @property
    def username(self) -> str:
        """The user name of CONNECT."""
        return self.product_id

    def client_id(self, now: float) -> str:
        """Return the client id for an attempt at this time, in seconds since the epoch."""
        return f"{self.product_id}_{self.node_id}_{BY_PRODUCT}_{self.sign_type}_{stamp_of(now)}"

    def password(self, now: float) -> str:
        """Return the password for an attempt at this time, in seconds since the epoch."""
        return password_of(self.secret, stamp_of(now))
