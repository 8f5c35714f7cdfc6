"""The receiver's log."""

from iot_northbound.core.failures import Log

log = Log("iot_northbound.push")
