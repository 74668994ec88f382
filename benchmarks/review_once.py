"""One quarterly review as the command makes it, in a process of its own: `python -m benchmarks.review_once URL`."""

import sys

from benchmarks.quarters import QUARTER, opened
from rollout_metrics.pipeline.garbage import leave_alone, quiet_collector
from rollout_metrics.pipeline.signing import shown
from rollout_metrics.review import page

if __name__ == "__main__":
    quiet_collector()
    leave_alone()
    page.html(shown(opened(sys.argv[1]), QUARTER))
