"""What docs/adding-a-source.md tells works: a source from outside the package, found by its entry point, held to the contract suite."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from documents import blocks

PROGRAM = "from rollout_metrics.cli import main; raise SystemExit(main())"
ROOT = Path(__file__).parents[2]


def shown(language: str) -> list[str]:
    """The page's blocks of a language."""
    return [block.text for block in blocks(ROOT / "docs" / "adding-a-source.md") if block.language == language]


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """The package as installed, and its folder of cases."""
    (source,) = shown("python")
    (entry,) = shown("toml")
    (tmp_path / "acme_tracker.py").write_text(source)
    about = tmp_path / "acme_tracker-1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: acme_tracker\nVersion: 1\n")
    (about / "entry_points.txt").write_text(entry.replace('[project.entry-points."', "[").replace('"]', "]").replace('"', ""))
    case, exchanges = map(json.loads, shown("jsonc"))
    page = {"next": "{base}/api/changes?page=2", "read_up_to": "2026-01-15T09:15:00Z", "changes": exchanges[1]["response"]["changes"]}
    bad = {"next": None, "read_up_to": "2026-01-15T10:00:00Z", "changes": [{"id": 9}, *page["changes"]]}
    cases = {
        "typical": (case, exchanges),
        "loop": (case | {"error": "repeats the page before it"}, [{"request": "GET /api/changes", "response": page}]),
        "cut_short": (case | {"error": "not of the documented shape"}, [{"request": "GET /api/changes", "response": {"changes": []}}]),
        "malformed": (case, [{"request": "GET /api/changes", "response": bad}]),
    }
    for name, (options, answers) in cases.items():
        folder = tmp_path / "cases" / "acme_tracker" / name
        folder.mkdir(parents=True)
        (folder / "case.json").write_text(json.dumps(options))
        (folder / "exchanges.json").write_text(json.dumps(answers))
    return tmp_path


def ran(package: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    paths = os.pathsep.join((str(package), str(ROOT / "src"), str(ROOT / "tests")))
    environ = {**os.environ, "PYTHONPATH": paths, "ROLLOUT_METRICS_CASES": str(package / "cases"), **environment}
    return subprocess.run([sys.executable, *arguments], cwd=ROOT, env=environ, capture_output=True, text=True, check=False, timeout=120)


@pytest.mark.e2e
def test_it_is_found_configured_and_held_to_the_contract(package: Path) -> None:
    suite = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/sources/test_contract.py", "-k", "acme_tracker or every_kind_read")
    written = ran(package, *suite[:-1], "acme_tracker and golden", UPDATE_GOLDEN="1")
    held = ran(package, *suite)
    golden = (package / "cases" / "acme_tracker" / "typical" / "golden.jsonl").read_text()
    file = package / "rollout-metrics.yaml"
    workflow = "workflows:\n  - {name: w, owner: o, sources: t, agents: bot, decides: 'set:queue', levels: [{level: shadow, since: 2026-01-01}]}\n"
    file.write_text("sources:\n  t: {kind: acme_tracker, base_url: 'https://t.example', token: '${TOKEN}'}\n" + workflow)
    checked = ran(package, "-c", PROGRAM, "check", "--config", str(file), TOKEN="secret")

    assert written.returncode == 0, written.stdout + written.stderr
    assert held.returncode == 0, held.stdout + held.stderr
    assert [json.loads(line)["event"]["activity"] for line in golden.splitlines()] == ["created", "changed", "closed"]
    assert "sources: 1" in checked.stdout + checked.stderr, checked.stdout + checked.stderr
    assert checked.returncode == 0
