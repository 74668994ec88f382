"""PURE: the figures as people see them, whatever they look at: page, command line, review. Values in, values out; nothing here computes a figure."""

from rollout_metrics.overview.figure import Figure, figure
from rollout_metrics.overview.picture import Picture, RefusedPart, SourceState, Trend, Trends
from rollout_metrics.overview.status import AtAGlance, Mark, Tone, at_a_glance
from rollout_metrics.overview.values import Values

__all__ = ["AtAGlance", "Figure", "Mark", "Picture", "RefusedPart", "SourceState", "Tone", "Trend", "Trends", "Values", "at_a_glance", "figure"]
