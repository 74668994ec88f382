"""The image as deploy/Dockerfile builds it, run as deploy/compose.yaml says, and that file started; where a container engine has the base images."""

import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from checkout import ROOT
from e2e.exporter import until

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

ENGINE = os.environ.get("CONTAINER_ENGINE") or next(filter(shutil.which, ("docker", "podman")), "docker")
IMAGE = "localhost/rollout-metrics:test"
DOCKERFILE = (ROOT / "deploy/Dockerfile").read_text()
SERVICES = yaml.safe_load((ROOT / "deploy/compose.yaml").read_text())["services"]
FETCH = "import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1], timeout=5).read().decode())"

CONFIGURATION = """
sources:
  desk: {kind: events, paths: [/inbox]}
workflows:
  - name: triage
    owner: support-operations
    sources: desk
    agents: triage-bot
    decides: set:priority
    authority: [{automatic: set:priority, forbidden: delete}]
    levels: [{level: assisted}]
privacy: {key_file: /run/secrets/key}
listen: {metrics: 0.0.0.0:10877, web: 0.0.0.0:10878}
"""
FORBIDDEN = 'agent_rollout_violations{workflow="triage",window="1d",kind="forbidden"} 1'


def engine(*arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run the container engine's command."""
    done = subprocess.run([ENGINE, *arguments], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0 or not check, done.stdout[-2000:] + done.stderr[-2000:]
    return done


def needs(*images: str) -> None:
    """Skip the test where the engine does not run or lacks one of these; images are never fetched by a test."""
    if shutil.which(ENGINE) is None or engine("version", check=False).returncode:
        pytest.skip(f"{ENGINE} does not run here: start it, or name another by CONTAINER_ENGINE")
    for image in images:
        if engine("image", "inspect", image, check=False).returncode:
            pytest.skip(f"{ENGINE} has no image {image}: {ENGINE} pull {image}")


@pytest.fixture(scope="module")
def image() -> Iterator[str]:
    (base,) = re.findall(r"^ARG PYTHON=(\S+)$", DOCKERFILE, re.MULTILINE)
    needs(base)
    engine("build", "--file", "deploy/Dockerfile", "--tag", IMAGE, ".")
    yield IMAGE
    engine("image", "rm", "--force", IMAGE)


@dataclass(frozen=True)
class Folders:
    """What compose mounts from deploy: configuration, secrets and events of a test."""

    home: Path

    def fill(self) -> "Folders":
        lately = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 600))
        case = {"case_id": "1", "occurred_at": lately}
        events = (
            case | {"event_id": "1", "actor_kind": "customer", "activity": "created"},
            case | {"event_id": "2", "actor_kind": "agent", "actor_id": "triage-bot", "activity": "changed", "attribute": "priority", "after": "high"},
            case | {"event_id": "3", "actor_kind": "agent", "actor_id": "triage-bot", "activity": "deleted"},
        )
        for file, text in (
            ("exporter/rollout-metrics.yaml", CONFIGURATION),
            ("secrets/key", "a key that only the container's user may read\n"),
            ("inbox/events.jsonl", "".join(json.dumps(event) + "\n" for event in events)),
        ):
            path = self.home / file
            path.parent.mkdir()
            path.parent.chmod(0o755)
            path.write_text(text)
            path.chmod(0o644)
        if os.getuid() == 0:
            os.chown(self.home / "secrets/key", 10877, 10877)
            (self.home / "secrets/key").chmod(0o400)
        return self

    def mounts(self) -> list[str]:
        """The bind mounts of compose's exporter, of these folders instead."""
        return [str(self.home / volume) for volume in SERVICES["exporter"]["volumes"] if volume.startswith("./")]


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    return Folders(tmp_path).fill()


class Container:
    """The exporter, started with the restrictions and mounts of compose."""

    name = f"rollout-metrics-test-{os.getpid()}"

    def __init__(self, folders: Folders) -> None:
        service = SERVICES["exporter"]
        restricted = ["--read-only", *(f"--tmpfs={path}" for path in service["tmpfs"]), *(f"--cap-drop={name}" for name in service["cap_drop"])]
        restricted += [f"--security-opt={option.partition(':')[0]}" for option in service["security_opt"]]
        mounts = [f"--volume={mount}" for mount in (*folders.mounts(), f"{self.name}:/var/lib/rollout-metrics")]
        engine("run", "--detach", f"--name={self.name}", *restricted, *mounts, IMAGE)

    def run(self, *command: str, check: bool = True) -> str:
        """What a command in the container prints."""
        return engine("exec", self.name, *command, check=check).stdout

    def get(self, path: str) -> str:
        """A page of the metrics listener; empty while it does not answer with it."""
        return self.run("python", "-c", FETCH, f"http://127.0.0.1:10877{path}", check=False)

    def state(self, of: str) -> str:
        return engine("inspect", "--format", f"{{{{.State.{of}}}}}", self.name).stdout.strip()


@pytest.fixture
def container(image: str, folders: Folders) -> Iterator[Container]:
    try:
        yield Container(folders)
    finally:
        engine("rm", "--force", Container.name, check=False)
        engine("volume", "rm", "--force", Container.name, check=False)


def test_the_image_holds_the_program_and_nothing_to_build_or_test_with(image: str) -> None:
    look = """
import os, pathlib, shutil, sysconfig
import numpy.testing, psycopg, pyarrow.parquet  # whole without their tests
home = pathlib.Path("/opt/rollout-metrics")
packages = pathlib.Path(sysconfig.get_path("purelib"))
print(os.getuid(), os.getgid(), packages.is_relative_to(home), (packages / "rollout_metrics/__pycache__").is_dir())
print([name for name in ("cc", "gcc", "make", "git") if shutil.which(name)], [name for name in ("pip", "setuptools", "pytest") if (packages / name).exists()])
print(list(home.rglob("tests")), list(pathlib.Path("/var/lib/rollout-metrics").iterdir()), pathlib.Path("/build").exists(), os.access(home, os.W_OK))
"""

    assert engine("run", "--rm", "--entrypoint=python", image, "-c", look).stdout == "10877 10877 True True\n[] []\n[] [] False False\n"


def test_it_runs_restricted_as_in_compose_stops_at_once_and_goes_on_where_it_stopped(container: Container, folders: Folders) -> None:
    until(lambda: FORBIDDEN in container.get("/metrics"), "the figures")
    (check,) = re.findall(r"^HEALTHCHECK [^[]*(\[.*\])$", DOCKERFILE, re.MULTILINE)
    container.run(*json.loads(check))
    assert "triage" in container.run("rollout-metrics", "status")
    assert engine("exec", container.name, "touch", "/etc/rollout-metrics/x", "/opt/rollout-metrics/x", check=False).returncode

    began = time.monotonic()
    engine("stop", container.name)
    assert time.monotonic() - began < 10
    assert (container.state("ExitCode"), container.state("OOMKilled")) == ("0", "false")

    (folders.home / "inbox/events.jsonl").unlink()
    engine("start", container.name)
    until(lambda: FORBIDDEN in container.get("/metrics"), "the figures after a restart")


def test_a_wrong_configuration_ends_it_with_code_2_and_its_place(container: Container, folders: Folders) -> None:
    file = folders.home / "exporter/rollout-metrics.yaml"
    replaced = file.with_suffix(".new")  # as editors do: the file is another one, its folder is mounted
    replaced.write_text(CONFIGURATION.replace("kind: events", "kind: nope"))
    replaced.chmod(0o644)
    replaced.rename(file)

    engine("restart", container.name)
    until(lambda: container.state("Running") == "false", "its end")

    assert container.state("ExitCode") == "2"
    logged = engine("logs", container.name)
    assert "/etc/rollout-metrics/rollout-metrics.yaml:3: sources.desk.kind: there is no kind of source 'nope'" in logged.stdout + logged.stderr


OVERRIDE = """
services:
  exporter: {{build: !reset null, image: {image}, pull_policy: never, ports: !reset [], restart: !override "no", volumes: {mounts}}}
  prometheus: {{pull_policy: never, ports: !reset [], volumes: ["{home}/prometheus:/etc/rollout-metrics:ro"]}}
  alertmanager: {{pull_policy: never, ports: !reset []}}
"""


def test_compose_carries_a_forbidden_act_from_a_file_to_alertmanager(image: str, folders: Folders) -> None:
    """In fast motion, without Grafana, and on no port of this machine."""
    needs(*(SERVICES[name]["image"] for name in ("prometheus", "alertmanager")))
    if engine("compose", "version", check=False).returncode:
        pytest.skip(f"{ENGINE} has no compose")
    (folders.home / "prometheus").mkdir()
    for file in (ROOT / "deploy/prometheus").glob("*.yaml"):
        (folders.home / "prometheus" / file.name).write_text(re.sub(r"(interval): 1m", r"\1: 1s", file.read_text()))
    override = folders.home / "override.yaml"
    override.write_text(OVERRIDE.format(image=image, home=folders.home, mounts=json.dumps(folders.mounts())))
    for path in (folders.home, *(folders.home / "prometheus").iterdir(), folders.home / "prometheus"):
        path.chmod(0o755)
    compose = ("compose", "--project-name", Container.name, "--file", "deploy/compose.yaml", "--file", str(override))

    def ask(url: str) -> list[dict[str, Any]]:
        answer = engine(*compose, "exec", "-T", "exporter", "python", "-c", FETCH, url, check=False).stdout
        found: list[dict[str, Any]] = json.loads(answer) if answer else []
        return found

    try:
        engine(*compose, "up", "--detach", "exporter", "prometheus", "alertmanager")
        until(lambda: any(alert["labels"]["alertname"] == "AgentRolloutForbiddenAct" for alert in ask("http://alertmanager:9093/api/v2/alerts")), "the alert")
        (page,) = [alert for alert in ask("http://alertmanager:9093/api/v2/alerts") if alert["labels"]["severity"] == "page"]
    finally:
        engine(*compose, "down", "--volumes", check=False)

    assert {receiver["name"] for receiver in page["receivers"]} == {"page", "support-operations"}
    assert page["generatorURL"].startswith("http://localhost:9090/")
