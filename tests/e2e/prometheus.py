"""A real Prometheus for tests: a process of its own that scrapes one exporter, with or without rules."""

import json
import shutil
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from e2e.exporter import free_port

needs_prometheus = pytest.mark.skipif(
    not (shutil.which("prometheus") and shutil.which("promtool")), reason="no Prometheus is installed here: apt-get install prometheus"
)


class Prometheus:
    """A server that scrapes one exporter, every second unless told otherwise, evaluates `rules` as often and tells of alerts to `alertmanagers`."""

    def __init__(self, folder: Path, target: str, *, rules: Sequence[Path] = (), every: str = "1s", alertmanagers: Sequence[str] = ()) -> None:
        self.url = f"http://127.0.0.1:{free_port()}"
        scrape = {"job_name": "rollout", "scrape_interval": every, "scrape_timeout": every, "static_configs": [{"targets": [target]}]}
        whole = {"global": {"evaluation_interval": every}, "rule_files": [str(file) for file in rules], "scrape_configs": [scrape]}
        whole["alerting"] = {"alertmanagers": [{"static_configs": [{"targets": list(alertmanagers)}]}]}
        (folder / "prometheus.yml").write_text(yaml.safe_dump(whole))
        self.log = folder / "prometheus.log"
        with self.log.open("w") as log:
            address = self.url.removeprefix("http://")
            options = (f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data", f"--web.listen-address={address}", "--log.level=debug")
            self.process = subprocess.Popen(["prometheus", *options], stdout=log, stderr=log)

    def query(self, expression: str, at: float | None = None) -> list[dict[str, Any]]:
        """An instant query's vector, now or at a Unix time; nothing while it does not answer yet."""
        asked = {"query": expression} | ({} if at is None else {"time": str(at)})
        try:
            found: list[dict[str, Any]] = self.get("query", **asked)["result"]
            return found
        except OSError:
            return []

    def get(self, path: str, **asked: str) -> Any:
        """What its API answers. Raises `OSError` where it refuses, or does not answer yet."""
        with urllib.request.urlopen(f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(asked)}", timeout=10) as answer:
            return json.load(answer)["data"]

    def value(self, expression: str) -> float | None:
        """The value of the one series of a query."""
        found = self.query(expression)
        return float(found[0]["value"][1]) if found else None

    def stop(self) -> None:
        """End it."""
        self.process.terminate()
        self.process.wait(timeout=30)
