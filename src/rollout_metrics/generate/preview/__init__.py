"""Sketches of dashboards: each one's queries run against a Prometheus, and what they return drawn in HTML, so that people see it without a Grafana."""

from rollout_metrics.generate.preview.asking import Answered, ask
from rollout_metrics.generate.preview.page import page

__all__ = ["Answered", "ask", "page"]
