"""The repr of a field that holds a secret."""


def hide(value: object) -> str:
    """Return a mask in place of a secret, or None if there is no value."""
    return "None" if value is None else "'***'"
