"""One case's derivation: every rule applied to its history, in the order of SIGNALS."""

from collections.abc import Iterable, Mapping

from rollout_metrics.derive.surroundings import Surroundings
from rollout_metrics.domain.events import Event
from rollout_metrics.domain.facts import CaseFacts
from rollout_metrics.domain.policy import Company
from rollout_metrics.domain.time import Instant


def derive(events: Iterable[Event], company: Company, as_of: Mapping[str, Instant], surroundings: Surroundings) -> CaseFacts:
    """The facts of one case as of its workflow's T (`as_of[""]` for a case of none) from its resolved events, in any order."""
    raise NotImplementedError
