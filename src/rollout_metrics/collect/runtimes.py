"""Sources that tell what agents' runtimes did: whose cases it was about, which tools act, which evaluations count."""

from collections.abc import Mapping
from typing import Self

from pydantic import BaseModel, ConfigDict, model_validator

from rollout_metrics.collect.source import Source


class Passing(BaseModel):
    """When a result counts as passed; one of both options."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, defer_build=True)

    labels: frozenset[str] = frozenset()
    """The labels that mean passed; every other one means failed."""
    at_least: float | None = None
    """The score from which on it has passed."""

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if bool(self.labels) == (self.at_least is not None):
            raise ValueError("say either by which labels a result has passed, or from which score on (at_least)")
        return self

    def passed(self, label: str | None, score: float | None) -> bool | None:
        """Whether it passed; None where the result lacks what tells it."""
        if self.at_least is not None:
            return None if score is None else score >= self.at_least
        return None if label is None else label in self.labels


class Runtime(Source):
    """A source that tells what agents' runtimes did on the cases of another."""

    case_source: str | None = None
    """The source whose cases it is about, such as the ticketing system's; default: the runtime's own."""
    tools: Mapping[str, str] = {}
    """Tool -> action: its calls become `executed`. Leave out tools that change nothing."""
    evaluations: Mapping[str, Passing] = {}
    """Evaluation -> when it passed: its results become `evaluated`. Name those whose failure is to count against a gate."""
