"""Work on many devices: `client.bulk`; each name is loaded when it is first asked for."""

from typing import TYPE_CHECKING

from iot_northbound._lazy import lazy_names

if TYPE_CHECKING:
    from iot_northbound.bulk.results import (
        BulkInterrupted,
        BulkProgress,
        BulkReport,
        BulkResult,
        BulkStoppedError,
        Results,
    )
    from iot_northbound.bulk.service import Bulk

_ROOMS = {
    "Bulk": "service",
    "BulkInterrupted": "results",
    "BulkProgress": "results",
    "BulkReport": "results",
    "BulkResult": "results",
    "BulkStoppedError": "results",
    "Results": "results",
}
__all__ = [
    "Bulk",
    "BulkInterrupted",
    "BulkProgress",
    "BulkReport",
    "BulkResult",
    "BulkStoppedError",
    "Results",
]
__getattr__, __dir__ = lazy_names(__name__, _ROOMS)
