"""Check what `make package` has built, and list what it brings along (SBOM).

Checked are the contents, the page on a package index, and a new user's first steps: the wheel in an empty environment.
"""

import email
import email.message
import json
import re
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
ENVIRONMENT = ROOT / "build" / "environment"
PYTHON = ENVIRONMENT / "bin" / "python"

WITHOUT_EXTRAS = """
import iot_northbound, iot_northbound.dto, iot_northbound.error_codes, iot_northbound.push
from iot_northbound import *
from iot_northbound.dto import *
assert "site-packages" in iot_northbound.__file__, iot_northbound.__file__
SSLConfig, RegDirectDeviceInDTO2(node_id="meter-1"), PushMessageReceiver()
try:
    from iot_northbound.emulator import Emulator
except ImportError as error:
    assert "pip install 'iot-northbound[emulator]'" in str(error), error
else:
    raise AssertionError("the emulator was imported without its extra")
"""
WITH_EXTRAS = """
import iot_northbound
from iot_northbound.emulator import Emulator
with Emulator() as emulator, iot_northbound.NorthApiClient.from_profile(emulator.profile_path) as client:
    assert list(client.data_collection.iter_devices()) == []
"""


def one(pattern: str) -> Path:
    """Return the only file of this kind in dist."""
    (found,) = (ROOT / "dist").glob(pattern)
    return found


def check_contents(wheel: Path, archive: Path) -> None:
    """Every tracked file of the package is in the wheel and nothing else; the archive has tests and documentation."""
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    source = ROOT / "src"
    there = {path.relative_to(source).as_posix() for path in source.rglob("*") if path.is_file()}
    there = {name for name in there if "__pycache__" not in name}
    assert packed == there, f"the wheel differs from src: {sorted(packed ^ there)}"
    with tarfile.open(archive) as tar:
        names = {name.partition("/")[2] for name in tar.getnames()}
    needed = {"tests/conftest.py", "docs/index.md", "examples/demo.py", "Makefile", ".ci/run", "mkdocs.yml", "LICENSE"}
    assert needed <= names, f"the source archive lacks {sorted(needed - names)}"


def metadata_of(wheel: Path) -> email.message.Message:
    """Return what the wheel says of itself."""
    with zipfile.ZipFile(wheel) as packed:
        (name,) = (name for name in packed.namelist() if name.endswith(".dist-info/METADATA"))
        return email.message_from_bytes(packed.read(name))


def check_description(metadata: email.message.Message) -> None:
    """The description, as a package index shows it, has no link to a file that it cannot show."""
    description = str(metadata.get_payload())
    assert "## " in description
    dead = re.findall(r"\]\((?!https?:|#)[^)]*\)", description)
    assert not dead, f"links that lead nowhere on a package index: {dead}"


def install(what: str) -> None:
    """Install the wheel, perhaps with extras. The pip is that of this environment: the new one has none."""
    subprocess.run([sys.executable, "-m", "pip", f"--python={PYTHON}", "install", "--quiet", what], check=True)


def run(program: str) -> None:
    """Run a program in the new environment, from an empty folder."""
    folder = ROOT / "build" / "empty"
    folder.mkdir(exist_ok=True)
    subprocess.run([PYTHON, "-I", "-c", program], check=True, cwd=folder)


def write_sbom(version: str) -> None:
    """Write what the wheel needs with all its extras, as CycloneDX; the tool finds no version in pyproject.toml."""
    target = ROOT / "dist" / "sbom.cdx.json"
    command = [str(Path(sys.executable).with_name("cyclonedx-py")), "environment", str(ENVIRONMENT)]
    options = [f"--pyproject={ROOT / 'pyproject.toml'}", "--mc-type=library", f"--output-file={target}"]
    subprocess.run([*command, *options], check=True)
    listed = json.loads(target.read_text("utf-8"))
    listed["metadata"]["component"]["version"] = version
    assert {"attrs", "requests", "uvicorn"} <= {each["name"] for each in listed["components"]}
    target.write_text(json.dumps(listed, indent=2) + "\n", "utf-8")


def main() -> None:
    """Check both files, and the wheel in an empty environment, first without extras."""
    wheel, archive = one("*.whl"), one("*.tar.gz")
    metadata = metadata_of(wheel)
    check_contents(wheel, archive)
    check_description(metadata)
    venv.create(ENVIRONMENT, clear=True, symlinks=True)
    install(str(wheel))
    run(WITHOUT_EXTRAS)
    subprocess.run([ENVIRONMENT / "bin" / "iot-northbound", "--help"], check=True, stdout=subprocess.DEVNULL)
    install(f"{wheel}[all]")
    run(WITH_EXTRAS)
    subprocess.run([sys.executable, "-m", "pip", f"--python={PYTHON}", "check"], check=True)
    write_sbom(metadata["Version"])


if __name__ == "__main__":
    main()
