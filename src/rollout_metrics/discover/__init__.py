"""From a sample of events to a first guess at the workflows in them: who the agent is, what it decides, where it hands over, and how fit the work is."""

from rollout_metrics.discover.findings import Findings, discovered
from rollout_metrics.discover.material import Material, Reading
from rollout_metrics.discover.measured import Measured, measured
from rollout_metrics.discover.written import values, written

__all__ = ["Findings", "Material", "Measured", "Reading", "discovered", "measured", "values", "written"]
