"""A workflow's window sums, and what of them may be shown of operators' own behaviour."""

import msgspec

from rollout_metrics.domain.policy import Company, Workflow
from rollout_metrics.domain.time import Span
from rollout_metrics.figures.windows import Windows


class Sight(msgspec.Struct, frozen=True):
    """One workflow at the T of its windows."""

    workflow: Workflow
    company: Company
    windows: Windows

    @property
    def name(self) -> str:
        """The workflow's name."""
        return self.workflow.name

    def enough(self, span: Span) -> bool:
        """Whether operators' own behaviour may be shown: enough of them worked on the workflow's cases in (T - span, T]."""
        return self.company.operator_figures and self.operators(span) >= self.company.min_operators

    def operators(self, span: Span) -> int:
        """How many operators had events on the workflow's cases in (T - span, T]."""
        return len(self.windows.sums(self.name, span, "operators"))
