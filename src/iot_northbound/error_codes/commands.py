"""Codes about commands to devices and device services."""

from iot_northbound.error_codes.model import ErrorCode, Kind, by_code

CODES = by_code(
    ErrorCode(
        "100223",
        Kind.QUOTA_REACHED,
        (400,),
        "The device's queue of commands is full.",
        "It has as many PENDING commands as the platform allows (20 by default).",
        "Wait until the device reports, which empties the queue, or cancel commands.",
    ),
    ErrorCode(
        "100428",
        Kind.DEVICE_OFFLINE,
        (200,),
        "The device is not online.",
        "It has no connection to the platform or to its gateway.",
        "Check the device's connection and repeat the call.",
    ),
    ErrorCode(
        "100432",
        Kind.OTHER,
        (200,),
        "The device does not accept this command now.",
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
        "It was already executed or cancelled, or it expired.",
        "Read its status. Nothing else is to be done.",
    ),
    ErrorCode(
        "100444",
        Kind.INVALID_ARGUMENT,
        (404,),
        "The device's profile has no such service.",
        "The service that the request names is not in the profile.",
        "Compare the service's name with the profile.",
    ),
    ErrorCode(
        "100450",
        Kind.DEVICE_OFFLINE,
        (403,),
        "The gateway is not online.",
        "The device's gateway has no connection to the platform.",
        "Check the gateway's connection and repeat the call.",
    ),
    ErrorCode(
        "100612",
        Kind.DEVICE_OFFLINE,
        (403,),
        "The device has been silent for too long.",
        "The time since it was last online is longer than the platform allows (seven days by default).",
        "Send the command again when the device is online.",
    ),
    ErrorCode(
        "102203",
        Kind.INVALID_ARGUMENT,
        (400,),
        "There is no such command.",
        "The device's profile does not have a command of this name.",
        "Compare the method with the commands in the profile.",
    ),
)
