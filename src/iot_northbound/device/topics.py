"""The topics of a device (reference 8.2.1)."""


def report_topic(device_id: str, codec: str = "json") -> str:
    """Return the topic that a device reports to, and answers commands on; `codec` is json or binary."""
    return f"/huawei/v1/devices/{device_id}/data/{codec}"


def command_topic(device_id: str, codec: str = "json") -> str:
    """Return the topic on which a device gets its commands; `codec` is json or binary."""
    return f"/huawei/v1/devices/{device_id}/command/{codec}"


def secret_topic(product_id: str, node_id: str) -> str:
    """Return the topic on which a device of a product model gets its own secret (seen in the field)."""
    return f"/huawei/v1/products/{product_id}/sn/{node_id}/secretNotify"


def secret_taken_topic(product_id: str, node_id: str) -> str:
    """Return the topic to which a device confirms that it has stored its secret (seen in the field)."""
    return f"/huawei/v1/products/{product_id}/sn/{node_id}/secretACK"
