"""Forgetting: old cases, who persons were, one person at their wish. What has been counted stays."""

from rollout_metrics.store.tables import Tables


class Retention(Tables):
    """Dropping what is not to be kept."""
