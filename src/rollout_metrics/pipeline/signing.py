"""Reviews signed and shown: a signed one as it was, with what would be different now; one that is asked for again and again is made once."""

from threading import Lock

import msgspec

from rollout_metrics.domain.errors import ConfigurationError
from rollout_metrics.domain.time import Instant, format_instant
from rollout_metrics.pipeline.engine import Pipeline, Watch, silent
from rollout_metrics.pipeline.freshness import as_of_all
from rollout_metrics.pipeline.harm_readings import readings
from rollout_metrics.pipeline.reviewing import review
from rollout_metrics.review.differences import differences
from rollout_metrics.review.page import Shown
from rollout_metrics.review.said import Review, Signature
from rollout_metrics.store import Past


def shown(pipeline: Pipeline, name: str, *, watch: Watch = silent) -> Shown:
    """A quarter's review as it is now, or as it was signed with the differences. Raises `ConfigurationError` where there is no such quarter yet."""
    now = review(pipeline, name, watch=watch)
    kept = pipeline.store.signed_review(now.quarter)
    return Shown(now) if kept is None else Shown(kept[0], kept[1], differences(kept[0], now))


def sign(pipeline: Pipeline, name: str, by: str, *, watch: Watch = silent) -> Review:
    """Freeze a quarter's review with its figures. Raises `ConfigurationError` where that is done already, or the quarter is not over."""
    made = review(pipeline, name, watch=watch)
    unfinished = [item for item in made.findings if item.as_of is None or item.running]
    if unfinished:
        said = (f"{item.workflow} is read up to {_read(item.as_of)}, the quarter ends {format_instant(item.end)}" for item in unfinished)
        raise ConfigurationError(f"{made.quarter} cannot be signed yet, for its figures would still change: {'; '.join(said)}")
    if not pipeline.store.sign_review(made, Signature(by, pipeline.clock())):
        _, signature = pipeline.store.signed_review(made.quarter) or (made, Signature("somebody", 0))
        raise ConfigurationError(f"{made.quarter} was signed by {signature.by} at {format_instant(signature.at)}, and stays as it was then")
    return made


def _read(at: Instant | None) -> str:
    return "nothing" if at is None else format_instant(at)


class _Made(msgspec.Struct):
    """A review that was made, and what it rests on: the picture that hung, the state of the past, and what else it was made of."""

    shown: Shown
    picture: object
    past: Past
    rest: object

    def ended_at(self) -> Instant | None:
        """When its quarter was over in every workflow; None while it is not, or something has not been read."""
        found = self.shown.review.findings
        return None if any(item.as_of is None or item.running for item in found) else max((item.end for item in found), default=None)


class Cabinet:
    """The reviews that the pages show, each made again only where a pass has been since; of a quarter that is over, where that pass has told of it."""

    def __init__(self, pipeline: Pipeline) -> None:
        """Nothing made yet."""
        self._pipeline = pipeline
        self._lock = Lock()
        self._made: dict[str, _Made] = {}

    def open(self, name: str) -> Shown:
        """A quarter's review. Raises `ConfigurationError` where there is no such quarter yet."""
        with self._lock:
            picture = self._pipeline.board.picture
            known = self._made.get(name)
            if known is None or picture is None or not (known.picture is picture or self._stands(known)):
                past, rest = self._pipeline.store.past(), self._rest()
                known = self._made[name] = _Made(shown(self._pipeline, name), picture, past, rest)
            known.picture = picture
            return known.shown

    def signatures(self) -> dict[str, Signature]:
        """Who signed which quarter."""
        return self._pipeline.store.signed_reviews()

    def _stands(self, known: _Made) -> bool:
        """Whether nothing has become known of its quarter since."""
        store, ended_at = self._pipeline.store, known.ended_at()
        past = store.past()
        if ended_at is None or known.rest != self._rest() or store.changed_since(known.past, ended_at):
            return False
        known.past = past  # the next look has only what is newer to look at
        return min(as_of_all(self._pipeline.company, self._pipeline.readings()).values()) >= ended_at

    def _rest(self) -> object:
        """What reviews are made of besides events: configuration with the change records in force, harm metrics, frozen gates, signatures."""
        store, company = self._pipeline.store, self._pipeline.company
        return company, [readings(store, workflow) for workflow in company.workflows], store.promotions(), store.signed_reviews()
