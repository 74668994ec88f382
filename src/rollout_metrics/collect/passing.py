"""When a result of an evaluation counts as passed."""

from typing import Self

from pydantic import BaseModel, ConfigDict, model_validator


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
