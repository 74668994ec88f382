"""One pass: due sources swept, touched cases derived, counts moved, one snapshot published. The only package that knows all stages."""

from rollout_metrics.pipeline.engine import Pipeline

__all__ = ["Pipeline"]
