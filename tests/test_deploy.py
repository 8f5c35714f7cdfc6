"""The files for containers fit together. They cannot be run here, so they are read as Docker reads them."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest

from iot_northbound.cli.app import root
from iot_northbound.profiles import PREFIX, load_env
from tests.certs import Authority

yaml = pytest.importorskip("yaml")
DEPLOY = Path(__file__).parents[1] / "deploy"
FOLDERS = sorted(each.parent.name for each in DEPLOY.glob("*/compose.yaml"))
INSTRUCTIONS = {"FROM", "RUN", "WORKDIR", "COPY", "USER", "EXPOSE", "CMD", "VOLUME"}
every_folder = pytest.mark.parametrize("folder", FOLDERS)


def compose(folder: str) -> Any:
    return yaml.safe_load((DEPLOY / folder / "compose.yaml").read_text())


def dockerfile(folder: str) -> list[tuple[str, str]]:
    lines = (DEPLOY / folder / "Dockerfile").read_text().replace("\\\n", " ").splitlines()
    return [(line.split()[0], line.partition(" ")[2]) for line in lines if line and not line.startswith("#")]


def commands(folder: str) -> list[list[str]]:
    """Return what the containers of our image run."""
    ours = [each for each in compose(folder)["services"].values() if "build" in each]
    default = json.loads(dict(dockerfile(folder))["CMD"])
    return [each.get("command", default) for each in ours]


def test_there_are_an_application_and_the_emulator() -> None:
    assert FOLDERS == ["emulator", "na"]


@every_folder
def test_a_dockerfile_has_known_instructions_and_does_not_run_as_root(folder: str) -> None:
    found = dockerfile(folder)
    assert found[0][0] == "FROM"
    assert {name for name, _ in found} <= INSTRUCTIONS
    users = [value for name, value in found if name == "USER"]
    assert users
    assert users[-1] not in ("root", "0")
    assert any(f" {users[-1]}" in value for name, value in found if name == "RUN" and "useradd" in value)
    for name, value in found:
        if name == "COPY":
            *sources, _ = value.split()
            assert all((DEPLOY / folder / each).is_file() for each in sources), value


@every_folder
def test_a_signal_reaches_the_program_itself(folder: str) -> None:
    assert all(isinstance(each, list) for each in commands(folder))  # a shell would not pass SIGTERM on
    assert all("stop_grace_period" in each for each in compose(folder)["services"].values())


@every_folder
def test_the_commands_of_ours_are_ones_that_the_command_line_takes(folder: str) -> None:
    for program, *arguments in commands(folder):
        if program == "iot-northbound":
            parsed(arguments)
        else:
            assert program == "gunicorn"


def parsed(arguments: list[str]) -> click.Context:
    """Return the parsed arguments of a command; raise an error if it does not take them."""
    command: click.Command = root
    name: str | None = None
    while isinstance(command, click.Group) and not arguments[0].startswith("-"):
        name, found, arguments = command.resolve_command(click.Context(command), arguments)
        assert found is not None
        command = found
    return command.make_context(name, arguments)


@every_folder
def test_images_have_versions_and_ports_stay_on_this_machine(folder: str) -> None:
    for name, service in compose(folder)["services"].items():
        assert re.search(r":\d", service["image"]), name
        assert all(each.startswith("127.0.0.1:") for each in service.get("ports", ())), name
    base = dockerfile(folder)[0][1]
    assert re.fullmatch(r"python:3\.1[1-3]-slim", base)


@every_folder
def test_volumes_and_secrets_are_declared_and_used(folder: str) -> None:
    whole = compose(folder)
    services = whole["services"].values()
    volumes = {each.split(":")[0] for service in services for each in service.get("volumes", ())}
    secrets = {each for service in services for each in service.get("secrets", ())}
    assert volumes == set(whole.get("volumes") or ())
    assert secrets == set(whole.get("secrets") or ())
    told = (DEPLOY / "README.md").read_text()
    for each in (whole.get("secrets") or {}).values():
        assert f"| `{each['file'].removeprefix('secrets/')}` |" in told


@every_folder
def test_no_secret_stands_in_a_file(folder: str) -> None:
    for service in compose(folder)["services"].values():
        for name, value in service.get("environment", {}).items():
            if re.search("SECRET|PASSWORD|SHARED|INBOX", name):
                assert name.endswith("_FILE")
                assert value.removeprefix("/run/secrets/") in service["secrets"], name


def settings(folder: Path) -> dict[str, str]:
    """Return the environment of the application, with its secrets in a folder."""
    ca = Authority()
    certificate, key = ca.issue("client", client=True).write(folder, "client")
    contents = {
        "app_secret": "not-a-real-one",
        "client_pem": certificate.read_text() + key.read_text(),
        "platform_ca": ca.pem.decode(),
        "postgres_url": "postgresql://na:not-a-real-one@database/na",
    }
    for name, content in contents.items():
        (folder / name).write_text(content)
        (folder / name).chmod(0o600)
    environment = compose("na")["services"]["web"]["environment"]
    return {name: value.replace("/run/secrets", str(folder)) for name, value in environment.items()}


def test_the_variables_of_the_application_are_settings(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    found = load_env(settings(tmp_path))
    assert found.http.calls_per_minute == 100
    assert found.shared is not None
    assert found.ssl_config is not None
    assert caplog.records == []


def test_gunicorn_and_a_worker_can_load_the_application(tmp_path: Path) -> None:
    pytest.importorskip("psycopg")
    environ = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    gunicorn = [sys.executable, "-m", "gunicorn", "--check-config", *commands("na")[0][1:]]
    for command in (gunicorn, [sys.executable, "-c", "import app; assert app.receiver.inbox.durable"]):
        run = subprocess.run(
            command,
            cwd=DEPLOY / "na",
            env={**environ, **settings(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert run.returncode == 0, run.stderr
