"""The programs of docs/testing.md: conftest.py."""

# --8<-- [start:conftest]
pytest_plugins = ["iot_northbound.testing.fixtures"]
# --8<-- [end:conftest]
