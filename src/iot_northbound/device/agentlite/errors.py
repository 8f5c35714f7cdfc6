"""The return codes of 6.4, and the exception that carries one."""

from typing import TYPE_CHECKING, Any

from iot_northbound.device.agentlite.enums import Number
from iot_northbound.errors import NorthApiException, SdkCode

if TYPE_CHECKING:
    from iot_northbound.device.agentlite.message import IotaMessage

RESERVED = "reserved"


class HwErr(Number):
    """The return codes of the C functions (6.4). 20 and 21 do not exist."""

    OK = 0, "done"
    ERR = 1, "failed"
    PTR = 2, "a pointer is wrong"
    ID = 3, "an id is wrong"
    PARA = 4, "an argument is wrong"
    KEY = 5, "a key is wrong"
    NOMEM = 6, "not enough memory"
    MAGIC = 7, RESERVED
    OVERFLOW = 8, "too much"
    GVAR = 9, RESERVED
    POOL = 10, RESERVED
    NO_MUTEX = 11, "not locked"
    PID = 12, RESERVED
    FILEOPEN = 13, "a file cannot be opened"
    FD = 14, "a file descriptor is wrong"
    SOCKET = 15, "a socket failed"
    NOTSUPPORT = 16, "not supported"
    NOTLOAD = 17, "not initialised"
    ENCODE = 18, "a value cannot be written"
    DECODE = 19, "a value cannot be read"
    CALLBACK = 22, "a callback function is wrong"
    STATE = 23, "not possible in this state"
    OVERTIMES = 24, "tried too often"
    ENDOVER = 25, RESERVED
    ENDLINE = 26, RESERVED
    NUMBER = 27, "a number is wrong"
    NOMATCH = 28, "nothing matches"
    NOSTART = 29, "not started"
    NOEND = 30, "not ended"
    OVERLAP = 31, RESERVED
    DROP = 32, "dropped"
    NODATA = 33, "no data"
    CRC_CHK = 34, "the checksum is wrong"
    AUTH = 35, "the credentials were refused"
    LENGTH = 36, "a length is wrong"
    NOTALLOW = 37, "not allowed"
    TOKEN = 38, "a token is wrong"
    NOTIPV4 = 39, "IPv4 is not supported"
    NOTIPV6 = 40, "IPv6 is not supported"
    IELOST = 41, RESERVED
    IELOST1 = 42, RESERVED
    IELOST2 = 43, RESERVED
    AUDIO = 44, RESERVED
    VIDEO = 45, RESERVED
    MD5 = 46, RESERVED
    MD5_HA1 = 47, RESERVED
    MD5_RES = 48, RESERVED
    DIALOG = 49, "a dialog is wrong"
    OBJ = 50, "an object is wrong"
    SUCCESS = OK

    @property
    def c_name(self) -> str:
        """The name of the code in C."""
        return f"HW_{self.name}" if self in (HwErr.OK, HwErr.ERR) else f"HW_ERR_{self.name}"

    @property
    def reserved(self) -> bool:
        """Whether the reference keeps the code for later."""
        return self.meaning == RESERVED


class AgentLiteError(NorthApiException):
    """An AgentLite call is not possible, or has failed.

    Attributes:
        code: the return code of the C function in this case (6.4).
        message: what the observers got, if the call was accepted and failed later.
    """

    message: "IotaMessage | None" = None

    def __init__(self, code: HwErr, error_desc: str, **rest: Any) -> None:
        sdk_code = SdkCode.INVALID_ARGUMENT if code is HwErr.PARA else SdkCode.CLIENT_INTERNAL
        super().__init__(sdk_code, error_desc, **rest)
        self.code = code

    def __str__(self) -> str:
        return f"{self.code.c_name} ({int(self.code)}): {self.error_desc}"

    def __repr__(self) -> str:
        return f"AgentLiteError({self.code.name}, {self.error_desc!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.code, self.error_desc), self.__dict__


class StoreError(AgentLiteError):
    """The stored credentials cannot be read or written. The text names the file and says what to do."""
