"""Change records in YAML files: their schema, how they are read, and a template to start from."""

from rollout_metrics.config.changes.collected import with_collected
from rollout_metrics.config.changes.reading import Recorded, read_changes, read_records, record_files, records_in
from rollout_metrics.config.changes.record import ChangeRecord
from rollout_metrics.config.changes.template import template

__all__ = ["ChangeRecord", "Recorded", "read_changes", "read_records", "record_files", "records_in", "template", "with_collected"]
