"""How fast the pages answer on a big store, alone and while passes run, and what scrapes notice of people reading them."""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from threading import Event, Thread

from benchmarks.passes import SPAN, Standing
from rollout_metrics.cli.serve import SWITCH_SECONDS, Service
from rollout_metrics.domain.time import DAY
from rollout_metrics.publish.app import metrics_app
from rollout_metrics.publish.listener import Listener

TARGET = 0.050
READS, SCRAPES = 400, 60
READER = Path(__file__).with_name("page_reader.py")

PATHS = (
    "/",
    "/?window=7d",
    "/workflows/flow-1?window=28d",
    "/evidence?metric=override_ratio&workflow=flow-1&window=28d&mode=live",
    "/evidence?metric=override_ratio&workflow=flow-1&window=90d&mode=live&role=numerator",
    "/evidence?metric=decisions&workflow=flow-2&window=90d&mode=live&outcome=accepted",
    "/evidence?metric=bypass_ratio&workflow=flow-1&window=28d&role=numerator",
    "/evidence?metric=violations&workflow=flow-1&window=90d",
    "/evidence?metric=review_latency_median_seconds&workflow=flow-1&window=28d",
    "/evidence?metric=turnaround_median_seconds&workflow=flow-2&window=90d",
    "/evidence?metric=recommendations_pending&workflow=flow-1",
    "/evidence?metric=override_ratio&workflow=flow-1&from={start}&to={end}&mode=live",
    "/changes",
    "/data-protection",
)
"""What people open; of evidence what is dense, what is sparse, what is old, and a stretch of one's own."""


def run(work: Path, *, full: bool) -> None:
    """Build a store, serve it as the product does, and read it from another process."""
    sys.setswitchinterval(SWITCH_SECONDS)
    count, times = (250_000, 4) if full else (50_000, 1)
    with tempfile.TemporaryDirectory(dir=work) as scratch:
        store = Standing(count, times, scratch)
        pipeline = store.pipeline
        service = Service(pipeline.configuration, pipeline, pipeline.board)
        pages, metrics = Listener(service.web, "127.0.0.1:0").start(), Listener(metrics_app(pipeline.board), "127.0.0.1:0").start()
        end = pipeline.clock() - SPAN // 3 * 1_000_000
        paths = [path.format(start=(end - 14 * DAY) // 1000, end=end // 1000) for path in PATHS]
        try:
            for name, busy in (("alone", False), ("while passes run", True)):
                stop = Event()
                passing = Thread(target=_passes, args=(store, stop)) if busy else None
                if passing is not None:
                    passing.start()
                began = time.process_time()
                reader = _reading(pages.url, paths, READS, 0.0)
                scraper = _reading(metrics.url, ["/metrics"], SCRAPES, 0.25)
                found = json.loads(reader.communicate()[0])
                spent = time.process_time() - began
                scraped = json.loads(scraper.communicate()[0])
                stop.set()
                if passing is not None:
                    passing.join()
                _told(f"pages of a store of {count * times:,} events, {name}", found, TARGET)
                if not busy:
                    print(f"       {spent / (READS + len(paths)) * 1e3:.1f} ms CPU of the server for a page, scrapes included", flush=True)
                _told(f"scrapes meanwhile, {name}", scraped, 0.1)
        finally:
            pages.close()
            metrics.close()
            store.close()


def _reading(url: str, paths: list[str], reads: int, pause: float) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, str(READER), url, json.dumps(paths), str(reads), str(pause)], stdout=subprocess.PIPE)


def _passes(store: Standing, stop: Event) -> None:
    while not stop.is_set() and store.left:
        store.once()
    stop.wait()


def _told(claim: str, found: dict[str, list[float]], target: float) -> None:
    every = sorted(seconds for each in found.values() for seconds in each)
    at = {share: every[min(len(every) - 1, int(len(every) * share))] for share in (0.5, 0.95, 0.99)}
    met = "met" if at[0.95] <= target else "NOT MET"
    print(f"{met}  {claim}: p50 {at[0.5] * 1e3:.1f} ms, p95 {at[0.95] * 1e3:.1f} ms, p99 {at[0.99] * 1e3:.1f} ms, {len(every)} answers", flush=True)
    for path, each in sorted(found.items(), key=lambda item: -sorted(item[1])[len(item[1]) // 2])[:4]:
        print(f"       {sorted(each)[len(each) // 2] * 1e3:.1f} ms median, {path}", flush=True)
