"""The program as people run it: a process of its own, looked at through its listener."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

PROGRAM = (sys.executable, "-c", "import sys; from rollout_metrics.cli import main; sys.exit(main(sys.argv[1:]))")
PATIENCE = 60.0


def free_port() -> int:
    """A port of the loopback that nobody uses."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def until(true: Callable[[], Any], what: str, seconds: float = PATIENCE) -> Any:
    """Wait for something to become true."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := true():
            return found
        time.sleep(0.05)
    raise AssertionError(f"{what} did not happen within {seconds:g} s")


class Exporter:
    """`rollout-metrics run` in a process."""

    def __init__(self, file: Path, verb: str = "run") -> None:
        self.file = file
        self.log = file.with_suffix(".log")
        options = yaml.safe_load(file.read_text(encoding="utf-8"))
        self.url = f"http://{options['listen']['metrics']}"
        self.pages = f"http://{options['listen']['web']}"
        with self.log.open("w") as log:
            self.process = subprocess.Popen([*PROGRAM, verb, "--config", str(file)], stdout=log, stderr=log)

    def __enter__(self) -> "Exporter":
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def get(self, path: str, accept: str = "") -> tuple[int, str]:
        """What a page says; status 0 while nobody listens."""
        assert self.process.poll() is None, self.log.read_text()
        try:
            with urllib.request.urlopen(urllib.request.Request(self.url + path, headers={"Accept": accept}), timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def ready(self) -> "Exporter":
        """Wait for the first complete pass."""
        until(lambda: self.get("/readyz")[0] == 200, "becoming ready")
        return self

    def said(self, text: str) -> None:
        """Wait for a line of the log."""
        until(lambda: text in self.log.read_text(), f"{text!r} in {self.log}")

    def value(self, name: str, **labels: str) -> float:
        """The value of the one series that has these labels."""
        lines = [line for line in self.get("/metrics")[1].splitlines() if line.startswith((name + "{", name + " "))]
        (found,) = [line for line in lines if all(f'{label}="{value}"' in line for label, value in labels.items())]
        return float(found.rsplit(" ", 1)[1])

    def stop(self, number: int = signal.SIGTERM) -> tuple[int, float]:
        """Stop it; the exit code and how long it took."""
        began = time.monotonic()
        os.kill(self.process.pid, number)
        return self.process.wait(timeout=30), time.monotonic() - began
