"""From counts and samples to every published figure, for each workflow at its own T.

How the pipeline holds and moves the state, a `Ledger` per process:

1. At start: `ledger.load(as_of, rows, samples)`. Rows are the store's counts: the standing ones and the minutes of `ledger.needed(as_of)`. Samples are
   `rollup.samples(facts)` of at least every unfinished fact, those of the longest window (a day more, for corrections to find what they correct), and cases
   closed without the agent in the 90 days before the workflow was first assisted. A superset is fine.
2. In a pass, for each batch of cases that the store has committed: `difference = rollup.difference(before, after, ...)` plus `rollup.corrections`
   (not in a rebuild), `gone, come = rollup.sample_difference(before, after)`, then `ledger.apply(difference, gone, come)`. Counts of minutes after T
   wait in the store until T gets there; samples wait in memory.
3. At the end of the pass: `ledger.advance(as_of, rows)` with the store's counts of the minutes in `ledger.stretches(as_of)`, read after the last batch.
   `ValueError` (a T went back, or a workflow got its first T) and `LookupError` (memory and store disagree) mean: load again.
4. `ledger.families({workflow: situation(...)})` gives the families to render. Self-metrics are the exporter's own to add: `catalog.METRICS` declares them.

After a change of configuration make a new `Ledger`.
"""

from rollout_metrics.figures.ledger import Ledger
from rollout_metrics.figures.situation import Situation, assisted_since, situation
from rollout_metrics.figures.windows import Stretch

__all__ = ["Ledger", "Situation", "Stretch", "assisted_since", "situation"]
