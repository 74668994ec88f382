"""The checkout under test: its generated files as they stand and as they should be, and the programs that check them."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from rollout_metrics import sources
from rollout_metrics.config.changes import ChangeRecord
from rollout_metrics.config.model import AlertOptions, Settings
from rollout_metrics.config.privacy import terms

ROOT = Path(__file__).parents[1]


def inputs(**alerts: Any) -> dict[str, Any]:
    """What generation is told, with these thresholds instead of the defaults."""
    kinds = {kind: sources.find(kind) for kind in sources.kinds()}
    return {"settings": Settings, "record": ChangeRecord, "thresholds": AlertOptions(**alerts), "terms": terms(Settings()), "sources": kinds}


def run(program: str, *arguments: str | Path, package: str) -> subprocess.CompletedProcess[str]:
    """Run a program of a Debian package; the test is skipped where it is not installed."""
    found = shutil.which(program)
    if found is None:
        pytest.skip(f"{program} is not installed: apt-get install {package}")
    return subprocess.run([found, *map(str, arguments)], capture_output=True, text=True, check=False, cwd=ROOT)


def promtool(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run promtool."""
    return run("promtool", *arguments, package="prometheus")
