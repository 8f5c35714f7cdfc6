"""What mypy --strict says to an application: right calls pass, mistakes are named."""

import re
from pathlib import Path

from mypy import api

PROGRAM = """
from iot_northbound import HostnameVerifier, NorthApiClient, PushMessageReceiver, SSLConfig
from iot_northbound.dto import NotifyDeviceAddedDTO, NotifyDeviceDeletedDTO, NotifyDeviceEventDTO, RegDirectDeviceInDTO2

verifier: HostnameVerifier = lambda host, certificate: certificate.common_name == host
client = NorthApiClient.from_profile("x", clock=None)  # error: arg-type
NorthApiClient.from_profile("x", "y", hooks=None, token_store=None)
NorthApiClient.from_profile("x", hoks=None)  # error: call-arg
NorthApiClient.from_env(hoks=None)  # error: call-arg
client.with_options(deadline=None, connect_timeout=1.5)
client.with_options(deadline="soon")  # error: arg-type

RegDirectDeviceInDTO2()  # error: call-arg
made = client.device_management.reg_direct_device(RegDirectDeviceInDTO2(node_id="n-1"))
client.device_management.delete_direct_device(made.device_id)

receiver = PushMessageReceiver()


@receiver.on(NotifyDeviceAddedDTO)
def added(body: NotifyDeviceAddedDTO) -> None: ...


@receiver.on(NotifyDeviceAddedDTO, NotifyDeviceEventDTO)
def both(body: NotifyDeviceAddedDTO | NotifyDeviceEventDTO) -> None: ...


@receiver.on(NotifyDeviceAddedDTO, NotifyDeviceEventDTO, NotifyDeviceDeletedDTO)
def three(body: NotifyDeviceAddedDTO | NotifyDeviceEventDTO | NotifyDeviceDeletedDTO) -> None: ...


@receiver.on(NotifyDeviceDeletedDTO)  # error: arg-type
def wrong(body: NotifyDeviceAddedDTO) -> None: ...


receiver.on("deviceAdded")  # error: call-overload
"""


def test_right_programs_pass_and_mistakes_are_named(tmp_path: Path) -> None:
    program = tmp_path / "application.py"
    program.write_text(PROGRAM)
    told, trouble, _ = api.run(["--strict", "--config-file=", "--no-error-summary", str(program)])
    assert not trouble
    found = {int(line): code for line, code in re.findall(r"application\.py:(\d+): error: .*\[([\w-]+)\]$", told, re.M)}
    wanted = re.finditer(r"# error: ([\w-]+)$", PROGRAM, re.M)
    assert found == {PROGRAM.count("\n", 0, each.start()) + 1: each[1] for each in wanted}, told
    assert "type[Never]" not in told
