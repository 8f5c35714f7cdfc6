"""The device side and the emulator's endpoint are two ends of a wire: a mistake on one must not hide in the other."""

import ast
import re
from pathlib import Path

import grimp
import pytest

import iot_northbound

SOURCE = Path(iot_northbound.__file__).parent
WIRE = re.compile(r"/?huawei/v1|deviceReq|deviceRsp|cloudReq|cloud/signaltrans|secretNotify")


def test_the_texts_of_the_wire_stand_on_the_two_sides_only() -> None:
    found = {
        path.relative_to(SOURCE).parts[0]
        for path in SOURCE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and WIRE.search(node.value)
    }
    assert "device" in found
    assert found <= {"device", "emulator"}


@pytest.mark.parametrize(("side", "other"), [("device", "emulator"), ("emulator", "device")])
def test_neither_side_imports_the_other_nor_anything_that_names_the_wire(side: str, other: str) -> None:
    graph = grimp.build_graph("iot_northbound", cache_dir=None)
    name = f"iot_northbound.{side}"
    modules = {name} | graph.find_descendants(name)
    imported = {each for module in modules for each in graph.find_modules_directly_imported_by(module)}
    assert not [each for each in imported if each.startswith(f"iot_northbound.{other}.")]
    if side == "emulator":
        rooms = {each.split(".")[1] for each in imported if each.count(".")} - {"emulator"}
        assert rooms <= {
            "_extras",
            "_lazy",
            "emulator_home",
            "error_codes",
            "input_files",
            "owned_sqlite",
            "owned_sqlite_claim",
            "serving",
        }


def test_the_package_imports_no_mqtt_library_by_itself() -> None:
    import subprocess
    import sys

    program = "import sys, iot_northbound, iot_northbound.device, iot_northbound.emulator; print('paho' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_a_missing_paho_names_the_extra() -> None:
    import subprocess
    import sys

    program = (
        "import sys; sys.modules['paho'] = None; from iot_northbound import *; "
        "print('every name of the package'); from iot_northbound.device import DeviceClient"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "every name of the package\n"  # none of them needs an extra
    assert done.stderr.endswith("paho is not installed: pip install 'iot-northbound[device]'\n")
