"""A real Alertmanager with the shipped example of teams, in fast motion, delivering to a server of the test."""

import json
import re
import shutil
import subprocess
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from checkout import ROOT
from e2e.exporter import free_port, until

needs_alertmanager = pytest.mark.skipif(
    shutil.which("prometheus-alertmanager") is None, reason="no Alertmanager is installed here: apt-get install prometheus-alertmanager"
)

HASTE = 300
"""How much faster than shipped: 15 minutes become 3 seconds."""

_SECONDS = {"s": 1, "m": 60, "h": 3600}


def hurried(span: str) -> str:
    """A duration in fast motion, at least a tenth of a second."""
    return f"{max(100, round(1000 * int(span[:-1]) * _SECONDS[span[-1]] / HASTE))}ms"


class Desk:
    """Takes what Alertmanager sends to chat: each message with the channel it went to."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        desk = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                desk.messages.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(200)
                self.end_headers()
                self.wfile.write(b"ok")

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def to(self, receiver: str) -> list[dict[str, Any]]:
        """What a receiver's channel got: title, text and the rest of the message."""
        return [attachment for message in self.messages if message["channel"] == f"#{receiver}" for attachment in message["attachments"]]

    def close(self) -> None:
        """Take no more."""
        self._server.shutdown()
        self._server.server_close()


class Alertmanager:
    """The process; its configuration is the example's, but for haste, the desk's address, and no mail."""

    def __init__(self, folder: Path, desk: Desk) -> None:
        shipped = yaml.safe_load((ROOT / "deploy/alertmanager/teams.example.yaml").read_text())
        shipped["global"] = {"slack_api_url": desk.url}
        shipped["templates"] = [str(ROOT / "deploy/alertmanager/templates/rollout.tmpl")]
        for receiver in shipped["receivers"]:
            receiver.pop("email_configs", None)
        text = re.sub(r"(group_wait|group_interval): (\w+)", lambda found: f"{found[1]}: {hurried(found[2])}", yaml.safe_dump(shipped))
        (folder / "alertmanager.yml").write_text(text)
        self.address = f"127.0.0.1:{free_port()}"
        options = (f"--config.file={folder}/alertmanager.yml", f"--storage.path={folder}/alertmanager", f"--web.listen-address={self.address}")
        with (folder / "alertmanager.log").open("w") as log:
            self.process = subprocess.Popen(["prometheus-alertmanager", *options, "--cluster.listen-address="], stdout=log, stderr=log)
        until(lambda: self.get("status"), "Alertmanager answering")

    def get(self, path: str) -> Any:
        """What its API says; None while it does not answer."""
        try:
            with urllib.request.urlopen(f"http://{self.address}/api/v2/{path}", timeout=10) as answer:
                return json.load(answer)
        except OSError:
            return None

    def send(self, *alerts: dict[str, str]) -> None:
        """Fire alerts with these labels."""
        annotations = {"summary": "Something.", "description": "Numbers.", "runbook_url": "https://r", "dashboard_url": "https://g"}
        body = json.dumps([{"labels": labels, "annotations": annotations} for labels in alerts]).encode()
        request = urllib.request.Request(f"http://{self.address}/api/v2/alerts", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            assert answer.status == 200

    def states(self) -> dict[str, str]:
        """Alert and what it is about -> active or suppressed."""
        return {f"{item['labels']['alertname']} {item['labels'].get('workflow', '')}".strip(): item["status"]["state"] for item in self.get("alerts")}

    def stop(self) -> None:
        """End it."""
        self.process.terminate()
        self.process.wait(timeout=30)
