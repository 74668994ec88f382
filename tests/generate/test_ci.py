"""The CI workflows under deploy/ci: their own shell, run against a real repository and a small server in the place of the forge."""

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
import yaml

from checkout import ROOT
from rollout_metrics.cli.change_markdown import MARKER

CI = ROOT / "deploy/ci"
EXAMPLE = (ROOT / "docs/change-record.example.yaml").read_text(encoding="utf-8")
GITHUB = yaml.safe_load((CI / "github-changes.yaml").read_text(encoding="utf-8"))
GITLAB = yaml.safe_load((CI / "gitlab-changes.yaml").read_text(encoding="utf-8"))["changes"]
STEPS = {step["name"]: step for step in GITHUB["jobs"]["check"]["steps"] if "name" in step}

GH = """#!{python}
import json, os, sys
arguments = sys.argv[1:]
with open(os.environ["CALLS"], "a") as calls:
    body = next((open(a.partition("@")[2]).read() for a in arguments if a.startswith("body=@")), None)
    calls.write(json.dumps([a for a in arguments if not a.startswith(("body=@", "--jq", "."))] + [body]) + "\\n")
if "--paginate" in arguments:
    print(os.environ.get("KNOWN", ""))
"""


@pytest.fixture
def repository(tmp_path: Path) -> tuple[Path, str]:
    """A repository whose branch adds one complete record, and its base."""
    folder = tmp_path / "repository"
    (folder / "changes").mkdir(parents=True)
    who = ["-c", "user.name=test", "-c", "user.email=test@example.com", "-c", "commit.gpgsign=false"]

    def git(*arguments: str) -> str:
        return subprocess.run(["git", *who, *arguments], cwd=folder, check=True, capture_output=True, text=True).stdout.strip()

    git("init", "-q")
    git("commit", "-q", "--allow-empty", "-m", "base")
    base = git("rev-parse", "HEAD")
    (folder / "changes" / "new.yaml").write_text(EXAMPLE, encoding="utf-8")
    git("add", "-A")
    git("commit", "-qm", "record")
    return folder, base


def shell(script: str, folder: Path, *flags: str, **environment: str) -> subprocess.CompletedProcess[str]:
    path = f"{folder.parent / 'bin'}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    given = {"PATH": path, "HOME": str(folder), "LANG": "C.UTF-8", **environment}
    return subprocess.run(["bash", *flags, "-c", script], cwd=folder, capture_output=True, text=True, check=False, env=given)


@pytest.mark.parametrize(("spoil", "code"), [("", "0"), ("legal: {by: Eva Marsh", "1"), ("id: CHG-118", "2")])
def test_githubs_check_writes_the_summary_and_hands_its_code_on(repository: tuple[Path, str], spoil: str, code: str) -> None:
    folder, base = repository
    if spoil:
        (folder / "changes" / "new.yaml").write_text(EXAMPLE.replace(spoil, spoil.replace("by: Eva Marsh", "by: Ada Okafor").replace("id:", "idd:")))
    summary, output = folder.parent / "summary", folder.parent / "output"

    ran = shell(STEPS["Check"]["run"], folder, "-e", BASE=base, RUNNER_TEMP=str(folder.parent), GITHUB_STEP_SUMMARY=str(summary), GITHUB_OUTPUT=str(output))
    ended = shell(STEPS["Result"]["run"], folder, "-e", CODE=code)

    assert ran.returncode == 0, ran.stderr
    assert output.read_text() == f"code={code}\n"
    assert summary.read_text().startswith(MARKER)
    assert ended.returncode == int(code)


@pytest.mark.parametrize("known", ["", "77"])
def test_githubs_comment_is_made_once_and_then_kept_up_to_date(repository: tuple[Path, str], known: str) -> None:
    folder, _ = repository
    (folder.parent / "bin").mkdir()
    gh = folder.parent / "bin" / "gh"
    gh.write_text(GH.replace("{python}", sys.executable))
    gh.chmod(0o755)
    (folder.parent / "changes.md").write_text(f"{MARKER}\nhello\n")
    calls = folder.parent / "calls"

    ran = shell(STEPS["Comment"]["run"], folder, "-e", PULL="acme/agents/issues/5", RUNNER_TEMP=str(folder.parent), CALLS=str(calls), KNOWN=known)

    assert ran.returncode == 0, ran.stderr
    looked, wrote = (json.loads(line) for line in calls.read_text().splitlines())
    method, place = ("PATCH", "repos/acme/agents/issues/comments/77") if known else ("POST", "repos/acme/agents/issues/5/comments")
    assert looked[:3] == ["api", "--paginate", "repos/acme/agents/issues/5/comments"]
    assert wrote == ["api", "--silent", "--method", method, place, "--field", f"{MARKER}\nhello\n"]


def test_github_gives_the_job_no_more_rights_than_it_needs_and_no_text_of_a_pull_request_to_a_shell() -> None:
    assert GITHUB["permissions"] == {"contents": "read", "pull-requests": "write"}
    assert "pull_request_target" not in (CI / "github-changes.yaml").read_text()
    assert not [name for name, step in STEPS.items() if "${{" in step["run"]]


class Forge(BaseHTTPRequestHandler):
    """Notes of a merge request, as far as the job uses them."""

    notes: list[dict[str, Any]]
    tokens: set[str]

    def do_GET(self) -> None:
        """Who asks, or the notes."""
        self._answer({"id": 7} if self.path == "/api/v4/user" else self.notes)

    def do_POST(self) -> None:
        """A new note."""
        self.notes.append({"id": len(self.notes) + 1, "author": {"id": 7}, "body": self._body()})
        self._answer({})

    def do_PUT(self) -> None:
        """A note in other words."""
        next(note for note in self.notes if self.path.endswith(f"/notes/{note['id']}"))["body"] = self._body()
        self._answer({})

    def _body(self) -> str:
        return parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode(), keep_blank_values=True)["body"][0]

    def _answer(self, value: Any) -> None:
        self.tokens.add(self.headers["PRIVATE-TOKEN"])
        text = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def forge() -> Iterator[tuple[type[Forge], str]]:
    """A forge with somebody else's note that looks like ours."""

    if shutil.which("curl") is None:
        pytest.skip("curl is not installed: apt-get install curl")
    own = type("Own", (Forge,), {"notes": [{"id": 1, "author": {"id": 8}, "body": f"{MARKER} not ours"}], "tokens": set()})
    server = ThreadingHTTPServer(("127.0.0.1", 0), own)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield own, f"http://127.0.0.1:{server.server_port}/api/v4"
    server.shutdown()
    server.server_close()


def test_gitlabs_note_is_made_once_and_then_kept_up_to_date(repository: tuple[Path, str], forge: tuple[type[Forge], str]) -> None:
    folder, base = repository
    own, url = forge
    variables = {"CI_API_V4_URL": url, "CI_PROJECT_ID": "3", "CI_MERGE_REQUEST_IID": "5", "CI_MERGE_REQUEST_DIFF_BASE_SHA": base}

    first = shell(GITLAB["script"][1], folder, "-e", "-o", "pipefail", ROLLOUT_METRICS_NOTE_TOKEN="t", **variables)
    (folder / "changes" / "new.yaml").write_text(EXAMPLE.replace("risk_class: regulated", "risk_class: regulatd"))
    second = shell(GITLAB["script"][1], folder, "-e", "-o", "pipefail", ROLLOUT_METRICS_NOTE_TOKEN="t", **variables)
    third = shell(GITLAB["script"][1], folder, "-e", "-o", "pipefail", **variables)

    assert (first.returncode, second.returncode, third.returncode) == (0, 2, 2), first.stderr + second.stderr
    assert [note["body"].splitlines()[1:2] for note in own.notes] == [[], ["## Change records: not readable"]]
    assert own.tokens == {"t"}


@pytest.mark.parametrize("script", [*(step["run"] for step in STEPS.values()), *GITLAB["script"]])
def test_every_script_is_one_to_bash(script: str, tmp_path: Path) -> None:
    assert subprocess.run(["bash", "-n", "-c", script], capture_output=True, check=False).returncode == 0
