"""The receiver's log, and descriptions of failed handlers."""

from iot_northbound.core.failures import Log, described, name_of

__all__ = ["described", "log", "name_of"]

log = Log("iot_northbound.push")
