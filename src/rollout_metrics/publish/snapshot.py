"""One immutable picture of every figure: rendered once a pass, plain and gzipped, swapped whole."""

import gzip
from collections.abc import Iterable, Sequence

import msgspec

from rollout_metrics.catalog import Family
from rollout_metrics.domain.time import Instant
from rollout_metrics.overview import Picture, SourceState, Trends
from rollout_metrics.publish.exposition import Renderer

GZIP_LEVEL = 1
"""Level 1 is an order of magnitude cheaper than 9 for a quarter more bytes."""


class Snapshot(msgspec.Struct, frozen=True):
    """The bytes of one picture in both formats, and the picture itself: whoever shows a number shows the one that was scraped."""

    picture: Picture
    text: bytes
    text_gzip: bytes
    openmetrics: bytes
    openmetrics_gzip: bytes

    @property
    def taken_at(self) -> Instant:
        """When the picture was taken."""
        return self.picture.taken_at

    def body(self, *, openmetrics: bool, gzipped: bool) -> bytes:
        """The bytes a client asked for."""
        if openmetrics:
            return self.openmetrics_gzip if gzipped else self.openmetrics
        return self.text_gzip if gzipped else self.text


def take(families: Iterable[Family], at: Instant, renderer: Renderer, *, sources: Sequence[SourceState] = (), trends: Trends | None = None) -> Snapshot:
    """Render a picture; the same families and instant give the same bytes."""
    picture = Picture(taken_at=at, families=tuple(families), sources=tuple(sources), trends=trends or {})
    text, openmetrics = renderer.render(picture.families)
    return Snapshot(picture, text, _packed(text), openmetrics, _packed(openmetrics))


def _packed(body: bytes) -> bytes:
    return gzip.compress(body, compresslevel=GZIP_LEVEL, mtime=0)


class Board:
    """Where the current snapshot hangs, and why the exporter is not ready. Readers see the old or the new, never a mixture."""

    def __init__(self) -> None:
        self._snapshot: Snapshot | None = None
        self._reasons: tuple[str, ...] = ("the first pass has not finished yet",)

    @property
    def snapshot(self) -> Snapshot | None:
        """The latest picture; None before the first."""
        return self._snapshot

    @property
    def picture(self) -> Picture | None:
        """What it is a picture of."""
        return None if self._snapshot is None else self._snapshot.picture

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why the exporter is not ready; empty when it is."""
        return self._reasons

    def hang(self, snapshot: Snapshot, reasons: tuple[str, ...] = ()) -> None:
        """Show a new picture."""
        self._snapshot = snapshot
        self._reasons = reasons

    def unready(self, *reasons: str) -> None:
        """Say why the exporter is not ready; the last picture stays."""
        self._reasons = reasons
