"""One quarterly review as the command makes it, in a process of its own: `python -m benchmarks.review_once URL` prints the digest of its page."""

import sys
from hashlib import blake2b

from benchmarks.quarters import QUARTER, opened
from rollout_metrics.pipeline.memory import quiet_collector
from rollout_metrics.pipeline.signing import shown
from rollout_metrics.review import page

if __name__ == "__main__":
    quiet_collector()
    pipeline = opened(sys.argv[1])
    print(blake2b(page.html(shown(pipeline, QUARTER)).encode()).hexdigest())
