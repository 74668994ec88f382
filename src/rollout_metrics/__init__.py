"""rollout-metrics: is the team still trusting its agent? Rollout health from audit trails."""

__version__ = "0.1.0"
