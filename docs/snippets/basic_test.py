"""The programs of docs/basic-test.md."""

# --8<-- [start:in-a-program]
from iot_northbound import BasicTest, load_profile

settings = load_profile("~/.iot-northbound/emulator/profile.toml")
info = settings.client_info
report = BasicTest.begin_basic_test(
    info.platform_ip, info.platform_port, info.app_id, info.secret, settings.ssl_config
)
assert report.passed
# --8<-- [end:in-a-program]
