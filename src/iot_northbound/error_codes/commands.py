"""Codes about commands to devices and device services."""

from iot_northbound.error_codes.model import ErrorCode, Kind, by_code

CODES = by_code(
    ErrorCode(
        "100223",
        Kind.QUOTA_REACHED,
        (400,),
        "The device's queue of commands is full.",
        "It has as many PENDING commands as allowed (20 by default).",
        "Let the device report so that the queue empties, or cancel commands.",
    ),
    ErrorCode(
        "100428",
        Kind.DEVICE_OFFLINE,
        (200,),
        "The device is not online.",
        "It has no connection to the platform, or to its gateway.",
        "Check the device's connection and repeat the call.",
    ),
    ErrorCode(
        "100432",
        Kind.OTHER,
        (200,),
        "The device does not take this command now.",
        "The command is muted.",
        "Check the command's name in the request's header.",
    ),
    ErrorCode(
        "100434",
        Kind.NOT_FOUND,
        (200,),
        "The command does not exist.",
        "No command has this id.",
        "Check the command id.",
    ),
    ErrorCode(
        "100435",
        Kind.OTHER,
        (200,),
        "The command has ended and cannot be cancelled.",
        "It was executed, expired or cancelled before.",
        "Nothing to do; read its status.",
    ),
    ErrorCode(
        "100444",
        Kind.INVALID_ARGUMENT,
        (404,),
        "The device's profile has no such service.",
        "The service named in the request is not in the profile.",
        "Compare the service's name with the profile.",
    ),
    ErrorCode(
        "100450",
        Kind.DEVICE_OFFLINE,
        (403,),
        "The gateway is not online.",
        "The gateway before the device has no connection to the platform.",
        "Check the gateway's connection and repeat the call.",
    ),
    ErrorCode(
        "100612",
        Kind.DEVICE_OFFLINE,
        (403,),
        "The device has been silent for too long.",
        "It was last online longer ago than allowed (seven days by default).",
        "Repeat the command when the device is online again.",
    ),
    ErrorCode(
        "102203",
        Kind.INVALID_ARGUMENT,
        (400,),
        "There is no such command.",
        "The command's name does not stand in the device's profile.",
        "Compare the method with the profile's commands.",
    ),
)
