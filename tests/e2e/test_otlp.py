"""What the document on OpenTelemetry says to do, done: its configuration, its program with the real SDK, its heartbeat."""

import json
import os
import re
import shlex
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from checkout import ROOT
from documents import blocks
from e2e.exporter import Exporter, free_port, until
from rollout_metrics.domain.events import Activity

pytestmark = pytest.mark.e2e
TOKEN = "a token of thirty-two characters !"
BLOCKS = blocks(ROOT / "docs/sources/otlp.md")


def test_the_program_of_the_document_reports_what_its_agent_did(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (configuration,) = (yaml.safe_load(block.text) for block in BLOCKS if block.language == "yaml")
    (program,) = (block.text for block in BLOCKS if block.language == "python")
    exports, heartbeat = (block.text for block in BLOCKS if block.language == "sh")
    configuration["sources"]["helpdesk"] = {"kind": "events", "paths": "tickets.jsonl", "every": "1s", "jitter": "0s"}
    configuration |= {"listen": {"metrics": f"127.0.0.1:{free_port()}", "web": f"127.0.0.1:{free_port()}"}, "store": {"url": f"sqlite:///{tmp_path / 'x.db'}"}}
    file = tmp_path / "rollout-metrics.yaml"
    file.write_text(yaml.safe_dump(configuration))
    (tmp_path / "tickets.jsonl").write_text("")
    monkeypatch.setenv("OTLP_TOKEN", TOKEN)
    with Exporter(file) as exporter:
        until(lambda: exporter.get("/metrics")[0] == 200, "the first snapshot")
        said = dict(re.findall(r'^export (\w+)="?([^"\n]+)"?$', exports, re.MULTILINE))
        said["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"] = said["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"].replace("https://rollout.example:10878", exporter.pages)
        said["OTEL_EXPORTER_OTLP_TRACES_HEADERS"] = said["OTEL_EXPORTER_OTLP_TRACES_HEADERS"].replace("$OTLP_TOKEN", TOKEN.replace(" ", "%20"))
        done = subprocess.run([sys.executable, "-c", program], env=os.environ | said, capture_output=True, text=True, check=False, timeout=60)
        beat = heartbeat.replace("$OTLP_TOKEN", TOKEN).replace("http://127.0.0.1:10878", exporter.pages)
        answer = subprocess.run(shlex.split(beat), capture_output=True, text=True, check=True, timeout=30).stdout
        with sqlite3.connect(tmp_path / "x.db") as database:
            bodies = [str(body) for (body,) in database.execute("SELECT body FROM events")]
        until(lambda: "source_spans_total{" in exporter.get("/metrics")[1], "a snapshot that counts spans", 90)
        mapped = exporter.value("agent_rollout_source_spans_total", source="traces", outcome="mapped")

    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(answer) == {}
    assert sorted(activity for body in bodies for activity in Activity if f'"{activity}"' in body) == ["blocked", "evaluated", "executed", "recommended"]
    assert mapped == 4
