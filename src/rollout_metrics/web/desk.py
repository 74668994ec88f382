"""What the pages are made of: the published picture, the configuration, and whom to ask for the cases behind a number."""

from collections.abc import Callable, Iterable, Mapping
from threading import Lock
from typing import Protocol

from rollout_metrics.domain.policy import Company, Workflow
from rollout_metrics.domain.records import Record
from rollout_metrics.overview import Picture, Values
from rollout_metrics.overview.data_protection import Terms
from rollout_metrics.overview.evidence import Asked, Explained, Wanted
from rollout_metrics.review import page
from rollout_metrics.review.said import Signature
from rollout_metrics.web.rights import Admission, Viewer

Explain = Callable[[Asked, Wanted], Explained]


class Reviews(Protocol):
    """Where the reviews are."""

    def open(self, name: str, /) -> page.Shown: ...
    def signatures(self) -> Mapping[str, Signature]: ...


class Shown(Protocol):
    """Where the published picture hangs."""

    @property
    def picture(self) -> Picture | None: ...
    @property
    def reasons(self) -> tuple[str, ...]: ...


class Desk:
    """Everything a page may look at; nothing on it can be changed from there."""

    def __init__(  # noqa: PLR0917
        self,
        board: Shown,
        company: Company,
        admission: Admission,
        explain: Explain,
        records: Callable[[], Iterable[Record]],
        terms: Terms,
        reviews: Reviews | None = None,
    ) -> None:
        self.board = board
        self.company = company
        self.admission = admission
        self.explain = explain
        self._records = records
        self.terms = terms
        self.reviews = reviews
        self._lock = Lock()
        self._seen = (Picture(taken_at=0), Values(()))

    @property
    def records(self) -> dict[str, Record]:
        """The change records by number, as they are now: systems may hold some."""
        return {record.change.id: record for record in self._records()}

    def seen(self) -> tuple[Picture, Values]:
        """The published picture and its values, indexed once for all who look at it; an empty one before the first pass."""
        picture = self.board.picture
        with self._lock:
            if picture is not None and picture is not self._seen[0]:
                self._seen = (picture, Values(picture.families))
            return self._seen

    def workflows(self, viewer: Viewer) -> list[Workflow]:
        """The workflows that are the viewer's to see, in the configured order."""
        return [workflow for workflow in self.company.workflows if viewer.may_see(workflow.name)]

    def workflow(self, viewer: Viewer, name: str) -> Workflow | None:
        """One of them by name."""
        return next((workflow for workflow in self.workflows(viewer) if workflow.name == name), None)
