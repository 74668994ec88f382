"""What goes wrong around the command line: one clear message, the right exit code, nothing lost."""

import os
import resource
import shutil
import socket
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from cli.conftest import Run
from rollout_metrics.cli import main
from rollout_metrics.domain.errors import StorageError
from rollout_metrics.store import open_store

Copied = Callable[..., Path]
PROGRAM = (sys.executable, "-c", "import sys; from rollout_metrics.cli import main; sys.exit(main(sys.argv[1:]))")


def test_a_missing_configuration_says_where_to_begin(run: Run, tmp_path: Path) -> None:
    wrong = run("collect", "--config", tmp_path / "none.yaml")

    assert wrong.code == 2
    assert "there is no such file" in wrong.err


def test_every_problem_of_a_configuration_is_told_at_once(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text("sources:\n  desk: {kind: zendesc}\nworkflows:\n- {name: w, sources: [disk], decides: ['set:x'], nonsense: 1}\nlog: {level: loud}\n")

    wrong = run("check", "--config", file)

    assert (wrong.code, wrong.out) == (2, "")
    assert "did you mean 'zendesk'" in wrong.err
    assert "nonsense" in wrong.err
    assert "loud" in wrong.err
    assert f"{file}:4" in wrong.err


def test_check_without_network_only_reads_the_configuration(run: Run, copied: Copied) -> None:
    checked = run("check", "--config", copied(zendesk={"base_url": "http://127.0.0.1:9"}))

    assert (checked.code, checked.out) == (0, "")
    assert "no problems" in checked.err


def test_check_connect_finds_that_all_is_well(run: Run, config: Path) -> None:
    checked = run("check", "--connect", "--config", config)

    assert checked.code == 0
    assert {row["source"]: row["state"] for row in checked.rows} == dict.fromkeys(("approvals", "hubspot", "runtime", "zendesk"), "works")


def test_check_connect_names_the_remedy_of_a_wrong_token(run: Run, copied: Copied) -> None:
    checked = run("check", "--connect", "--config", copied(zendesk={"token": "${WRONG:-wrong}"}, hubspot={"token": "${WRONG:-wrong}"}))

    states = {row["source"]: row for row in checked.rows}
    assert checked.code == 1
    assert {states["zendesk"]["state"], states["hubspot"]["state"]} == {"refused"}
    assert states["runtime"]["state"] == "works"
    assert "token" in states["zendesk"]["what was found"]


@contextmanager
def answering(status: int, body: bytes, kind: str) -> Iterator[str]:
    """A server that says the same to everything."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.mark.parametrize(
    ("status", "body", "kind", "state", "message"),
    [
        (403, b'{"error": "Forbidden"}', "application/json", "refused", "403"),
        (200, b"<html><title>Sign in</title></html>", "text/html", "fails", "a web page instead of JSON"),
        (200, b'{"truncated": [', "application/json", "fails", "JSON"),
        (404, b"not here", "text/plain", "fails", "404"),
    ],
)
def test_check_connect_says_what_a_vendor_answered(run: Run, copied: Copied, status: int, body: bytes, kind: str, state: str, message: str) -> None:
    with answering(status, body, kind) as url:
        checked = run("check", "--connect", "--config", copied(zendesk={"base_url": url}))

    row = next(row for row in checked.rows if row["source"] == "zendesk")
    assert checked.code == 1
    assert row["state"] == state
    assert message.lower() in row["what was found"].lower()


def test_one_failing_source_leaves_the_others_collected(run: Run, copied: Copied) -> None:
    done = run("collect", "--json", "--config", copied(zendesk={"token": "${WRONG:-wrong}"}))

    outcomes = {row["source"]: row["outcome"] for row in done.json}
    assert done.code == 1
    assert "401" in outcomes.pop("zendesk")
    assert set(outcomes.values()) == {"done"}


def test_a_port_in_use_is_a_matter_of_configuration(run: Run, copied: Copied) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        wrong = run("run", "--config", copied(settings={"listen": {"metrics": address, "web": "127.0.0.1:0"}}))

    assert wrong.code == 2
    assert f"{address} cannot be bound" in wrong.err
    assert "choose another port" in wrong.err


def test_a_database_in_a_folder_that_is_not_there_is_told_with_the_folder(run: Run, copied: Copied, tmp_path: Path) -> None:
    wrong = run("collect", "--config", copied(database=False, settings={"store": {"url": "sqlite:////proc/nowhere/demo.db"}}))

    assert wrong.code == 1
    assert "/proc/nowhere" in wrong.err
    assert "Traceback" not in wrong.err


@pytest.mark.e2e
def test_a_full_disk_is_told_and_what_was_stored_before_is_kept(copied: Copied) -> None:
    file = copied(database=False)
    assert main(["db", "upgrade", "--config", str(file)]) == 0

    def small() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))

    full = subprocess.run([*PROGRAM, "collect", "--config", file], capture_output=True, text=True, check=False, preexec_fn=small, timeout=60)

    assert full.returncode == 1
    assert "disk" in full.stderr
    assert "Traceback" not in full.stderr
    assert main(["db", "check", "--config", str(file)]) == 0
    assert main(["collect", "--config", str(file), "--source", "approvals"]) == 0


def test_a_database_that_another_program_has_locked_is_told(copied: Copied) -> None:
    file = copied()
    path = file.parent / "demo.db"
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        with open_store(f"sqlite:///{path}", clock=lambda: 0, patience_seconds=0.2) as store, pytest.raises(StorageError, match="locked by another program"):
            store.set_meta("x", "y")
        other.execute("ROLLBACK")
        with open_store(f"sqlite:///{path}", clock=lambda: 0) as store:
            store.set_meta("x", "y")
    finally:
        other.close()


@pytest.mark.e2e
def test_output_may_be_cut_short_by_whoever_reads_it(config: Path) -> None:
    reader, writer = os.pipe()
    process = subprocess.Popen([*PROGRAM, "snapshot", "--config", config], stdout=writer, stderr=subprocess.PIPE, text=True)
    os.close(writer)
    os.close(reader)
    _, err = process.communicate(timeout=60)

    assert "Traceback" not in err
    assert process.returncode == 1


def test_somebody_elses_database_is_left_alone(run: Run, copied: Copied) -> None:
    file = copied(database=False)
    path = file.parent / "demo.db"
    path.write_text("this is no database, it is somebody's notes, and they are longer than a page header\n" * 20)
    before = path.read_bytes()

    wrong = run("collect", "--config", file)

    assert wrong.code == 1
    assert "is no SQLite database" in wrong.err
    assert path.read_bytes() == before
    shutil.rmtree(file.parent, ignore_errors=True)
