"""Files for other programs and for people, written from what is declared once: alerts, dashboards, documents, schemas."""

from rollout_metrics.generate.files import generate
from rollout_metrics.generate.options import configuration_schema, record_schema

__all__ = ["configuration_schema", "generate", "record_schema"]
