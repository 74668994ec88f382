"""The receipts of a review: for each figure that the board will ask about, the newest cases behind it, as they stood at the quarter's end."""

from collections.abc import Container, Iterator, Mapping, Sequence
from heapq import heappush, heappushpop
from itertools import islice

import msgspec

from rollout_metrics import rollup
from rollout_metrics.catalog import METRICS, TALLIES
from rollout_metrics.catalog.metric import Part, Ratio
from rollout_metrics.catalog.tallies import REVIEWER
from rollout_metrics.catalog.trust import EVIDENCE
from rollout_metrics.domain.events import CaseKey, Event, EventRef
from rollout_metrics.domain.facts import Fact
from rollout_metrics.domain.policy import Company
from rollout_metrics.domain.time import MINUTE, Instant
from rollout_metrics.overview import written
from rollout_metrics.pipeline.behind import seen_as
from rollout_metrics.review.said import Exhibit
from rollout_metrics.review.said import Fact as Shown
from rollout_metrics.rollup import STATE, Contribution, Series
from rollout_metrics.store import Store

MOST = 5
"""Receipts of each figure."""

RATES = ("override_ratio", "correction_ratio", "complaint_ratio", "escalation_ratio", "bypass_ratio")


class Sought(msgspec.Struct, frozen=True):
    """A figure whose cases are wanted: its name, and the counts that they are found by."""

    about: str
    part: Part


class _Kept(msgspec.Struct, frozen=True, order=True):
    """A case behind a figure, in the order of what is let go first."""

    minute: int
    case: CaseKey
    facts: tuple[Fact, ...]


def sought() -> tuple[Sought, ...]:
    """The numerators of the rates that can go wrong, acts without authority, and what is behind the warning signs."""
    rates = [(metric.key, metric.obtained.numerator) for metric in map(METRICS.__getitem__, RATES) if isinstance(metric.obtained, Ratio)]
    signs = [(sign.value, EVIDENCE[sign][0][1]) for sign in EVIDENCE if EVIDENCE[sign][0][1].where]
    return tuple(Sought(about, part) for about, part in (*rates, ("violations", Part("violations")), *signs))


class Exhibits:
    """Told every case with what it counts, it keeps the newest of each figure within each workflow's quarter."""

    def __init__(self, company: Company, stretches: Mapping[str, tuple[Instant, Instant]]) -> None:
        """`stretches`: workflow -> its quarter, up to T."""
        self._workflows = company.by_name
        self._company = company
        self._minutes = {name: (start // MINUTE, end // MINUTE) for name, (start, end) in stretches.items()}
        self._sought = sought()
        self._fits: dict[Series, tuple[int, ...]] = {}
        self._kept: dict[tuple[str, int], list[_Kept]] = {}

    def __call__(self, case: CaseKey, facts: Sequence[Fact], counts: Sequence[Contribution]) -> None:
        """Take a case in."""
        for series, minute, amount in counts:
            if minute == STATE or not amount:
                continue
            name = series[0]
            fits = self._fits.get(series)
            if fits is None:
                fits = self._fits[series] = tuple(self._fitting(series))
            if fits and name in self._minutes and self._minutes[name][0] < minute <= self._minutes[name][1]:
                for place in fits:
                    self._keep((name, place), minute, case, facts)

    def search(self, store: Store, without: Container[CaseKey]) -> None:
        """Take in the newest stored cases of each figure, but for some."""
        for name, (after, up_to) in self._minutes.items():
            for place, item in enumerate(self._sought):
                series = [one for one in store.series_named(name, {item.part.tally}) if place in self._fitting(one)]
                places = (posted.case for posted in store.posted(series, after, up_to) if posted.case not in without)
                for case, facts in store.facts(list(islice(places, MOST))).items():
                    self(case, facts, rollup.contributions(facts, self._workflows))

    def of(self, workflow: str, store: Store, as_of: Instant) -> tuple[Exhibit, ...]:
        """A workflow's receipts, by figure, the newest first."""
        found = [
            (item, kept)
            for place, item in enumerate(self._sought)
            for kept in sorted(self._kept.get((workflow, place), ()), key=lambda kept: (-kept.minute, kept.case))
        ]
        histories = dict(store.histories(list(dict.fromkeys(kept.case for _, kept in found))))
        return tuple(exhibit for item, kept in found for exhibit in self._exhibits(workflow, item, kept, histories[kept.case], as_of))

    def _fitting(self, series: Series) -> Iterator[int]:
        for place, item in enumerate(self._sought):
            if series[1] == item.part.tally:
                labels = dict(zip(TALLIES[item.part.tally].labels, series[2:], strict=False))
                if all(labels[label] in values for label, values in item.part.where):
                    yield place

    def _keep(self, key: tuple[str, int], minute: int, case: CaseKey, facts: Sequence[Fact]) -> None:
        kept = self._kept.setdefault(key, [])
        item = _Kept(minute, case, tuple(facts))
        if any(other.minute == minute and other.case == case for other in kept):
            return
        if len(kept) < MOST:
            heappush(kept, item)
        else:
            heappushpop(kept, item)

    def _exhibits(self, workflow: str, item: Sought, kept: _Kept, events: Sequence[Event], as_of: Instant) -> Iterator[Exhibit]:
        """The first fact of a case that counts there."""
        place = self._sought.index(item)
        known = {event.ref: event for event in events}
        for fact in kept.facts:
            if fact.workflow != workflow:
                continue
            for series, at, _ in rollup.contributions((fact,), self._workflows):
                if at == kept.minute and place in self._fits.get(series, ()):
                    yield self._exhibit(item, series, kept.minute, kept.case, fact.evidence, known, as_of)
                    return

    def _exhibit(  # noqa: PLR0917
        self, item: Sought, series: Series, minute: int, case: CaseKey, evidence: Sequence[EventRef], known: Mapping[EventRef, Event], as_of: Instant
    ) -> Exhibit:
        seen = [seen_as(known[ref], self._company) for ref in evidence if ref in known]
        shown = tuple(Shown(one.ref, one.at, one.activity, one.actor_kind, one.attribute, one.reason, one.url) for one in seen)
        past = sorted((event for event in known.values() if event.occurred_at <= as_of), key=lambda event: (event.occurred_at, event.ref))
        url = next((one.url for one in reversed(seen) if one.url), None) or next((url for event in past if (url := event.detail.get("url"))), None)
        said = ", ".join(_said(label, value) for label, value in zip(TALLIES[item.part.tally].labels, series[2:], strict=False) if _shown(label, value))
        return Exhibit(item.about, case, minute * MINUTE, said, shown, url)


def _shown(label: str, value: str) -> bool:
    """Who reviewed is nobody's business here."""
    return bool(value) and label != REVIEWER


_CLAIMS = {"true": "{}", "false": "not {}"}


def _said(label: str, value: str) -> str:
    """A label's value in words; of one that is true or false its name."""
    return _CLAIMS[value].format(written.name(label)) if value in _CLAIMS else written.name(value)
