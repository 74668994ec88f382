"""One pass: due sources swept, touched cases derived, counts moved, one snapshot published. The only package that knows all stages."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rollout_metrics.pipeline.engine import Pipeline

__all__ = ["Pipeline"]


def __getattr__(name: str) -> Any:
    """`Pipeline`, imported when it is asked for: who only lands needs neither figures nor the exposition."""
    if name == "Pipeline":
        from rollout_metrics.pipeline.engine import Pipeline

        return Pipeline
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
