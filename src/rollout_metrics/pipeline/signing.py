"""Reviews signed and shown: a signed one as it was, with what would be different now; one that is asked for again and again is made once."""

from threading import Lock

from rollout_metrics.domain.errors import ConfigurationError
from rollout_metrics.domain.time import Instant, format_instant
from rollout_metrics.pipeline.engine import Pipeline, Watch, silent
from rollout_metrics.pipeline.reviewing import review
from rollout_metrics.review.differences import differences
from rollout_metrics.review.page import Shown
from rollout_metrics.review.said import Review, Signature


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


class Cabinet:
    """The reviews that the pages show, each made again only where a pass has been since."""

    def __init__(self, pipeline: Pipeline) -> None:
        """Nothing made yet."""
        self._pipeline = pipeline
        self._lock = Lock()
        self._made: dict[str, tuple[object, Shown]] = {}

    def open(self, name: str) -> Shown:
        """A quarter's review. Raises `ConfigurationError` where there is no such quarter yet."""
        with self._lock:
            seen = self._pipeline.board.picture
            known = self._made.get(name)
            if known is None or known[0] is not seen or seen is None:
                self._made[name] = known = (seen, shown(self._pipeline, name))
            return known[1]

    def signatures(self) -> dict[str, Signature]:
        """Who signed which quarter."""
        return self._pipeline.store.signed_reviews()
