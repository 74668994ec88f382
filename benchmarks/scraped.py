"""A server to scrape: `python -m benchmarks.scraped theirs|ours|working SERIES` prints its port; `working` runs passes all the while."""

import signal
import sys
import tempfile
import threading
from pathlib import Path

from benchmarks.scraping import labelled
from rollout_metrics.catalog.exposition import Family, MetricType
from rollout_metrics.cli.serve import SWITCH_SECONDS
from rollout_metrics.pipeline.garbage import leave_alone, quiet_collector
from rollout_metrics.publish.app import metrics_app
from rollout_metrics.publish.exposition import Renderer
from rollout_metrics.publish.listener import Listener
from rollout_metrics.publish.snapshot import Board, take

LABELS = ("field", "outcome", "window", "workflow")


def theirs(count: int) -> None:
    """prometheus-client with gauges."""
    from prometheus_client import CollectorRegistry, Gauge, start_http_server

    registry = CollectorRegistry()
    gauge = Gauge("decisions", "Decisions by outcome.", LABELS, registry=registry)
    for labels, value in labelled(count):
        gauge.labels(*(text for _, text in labels)).set(value)
    server, thread = start_http_server(0, "127.0.0.1", registry=registry)
    print(server.server_port, flush=True)
    thread.join()


def ours(count: int, *, working: bool) -> None:
    """Our listener with one snapshot, or with passes that hang a new one again and again; threads and collector set as the command line sets them."""
    sys.setswitchinterval(SWITCH_SECONDS)
    quiet_collector()
    leave_alone()
    board = Board()
    family = Family("decisions", MetricType.GAUGE, "Decisions by outcome.", "", [("", labels, value) for labels, value in labelled(count)])
    renderer = Renderer()
    board.hang(take([family], 0, renderer))
    listener = Listener(metrics_app(board), "127.0.0.1:0").start()
    if not working:
        print(listener.address.rpartition(":")[2], flush=True)
        threading.Event().wait()
    from benchmarks.desk import desk
    from benchmarks.desk_server import serving
    from benchmarks.land_ours import everything
    from benchmarks.landing import NOW

    with serving(desk(Path("bench-work"), 20_000)) as address, tempfile.TemporaryDirectory() as scratch:
        print(listener.address.rpartition(":")[2], flush=True)
        number = 0
        while True:  # collecting a whole history: pages, deriving, figures, and each time a new snapshot of all series
            everything(address, f"sqlite:///{scratch}/{number}.db", NOW)
            board.hang(take([family], number, renderer))
            number += 1


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())  # so that the page server it started ends as well
    theirs(int(sys.argv[2])) if sys.argv[1] == "theirs" else ours(int(sys.argv[2]), working=sys.argv[1] == "working")
