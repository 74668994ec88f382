"""When a simulated company's history began: kept in a file, so that a restart continues the same history."""

import time
from pathlib import Path

from rollout_metrics.domain.time import DAY, Instant, format_instant, parse_instant


def clock() -> Instant:
    """Now."""
    return time.time_ns() // 1000


def started(directory: Path, now: Instant, *, days: int = 90) -> Instant:
    """When this directory's history began: `days` before its first start, kept in a file so that a restart continues the same history."""
    file = directory / "started_at"
    if not file.exists():
        directory.mkdir(parents=True, exist_ok=True)
        file.write_text(format_instant((now - days * DAY) // DAY * DAY) + "\n", encoding="utf-8")
    return parse_instant(file.read_text(encoding="utf-8").strip())
