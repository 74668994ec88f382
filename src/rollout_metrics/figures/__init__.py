"""From counts and samples to every published figure, for each workflow at its own T.

How the pipeline holds and moves the state, a `Ledger` per process:

1. At start: `ledger.load(as_of, starts, rows, samples, tracks, strands)`. `starts(workflows, as_of, surroundings)`: since when each agent is what it is.
   Rows and tracks are the store's counts: the standing ones and the minutes of `ledger.needed(as_of, starts)`. Samples, one by one or as strands, are those of
   every unfinished fact, those of `ledger.sampled(as_of)` (a day more, for corrections to find what they correct), and those of cases closed without the
   agent in the 90 days before the workflow was first assisted. A superset is fine.
2. In a pass, for each batch of cases that the store has committed: `gone, come = rollup.sample_difference(before, after)`, then
   `ledger.apply(difference, gone, come)` with what the store added to its counts. Counts of minutes after T wait in the store until T gets there; samples
   wait in memory.
3. At the end of the pass: `ledger.advance(as_of, starts, rows)` with the store's counts of the minutes in `ledger.stretches(as_of, starts)`, read after the
   last batch.
   `ValueError` (a T went back, or a workflow got its first T) and `LookupError` (memory and store disagree) mean: load again.
4. `ledger.families({workflow: situation(...)})` gives the families to render. Self-metrics are the exporter's own to add: `catalog.METRICS` declares them.

What figures are made of, each equal to counting from scratch whatever the order in which differences and advances came (`View` hands all three to whoever
produces a series):

* `view.windows.sums(workflow, span, tally)`: over (T - span, T]; `view.windows.states(workflow, tally)`: as it stands.
* `view.since.sums(workflow, tally)`: from the start of the agent's present level and version to T; tallies of things judged at an age start so much later.
* `view.trail.sums(workflow, tally, after, up_to)`: any stretch of the last 120 days between whole hours, deployments and configured starts of levels (plus
  the tally's age, where it has one); `view.trail.hours(...)` the same hour by hour; `view.trail.begins(workflow)`: how far back it reaches. Every published
  tally of `catalog.TALLIES` that belongs to minutes is held: a new one is there as soon as it is declared and counted.

After a change of configuration make a new `Ledger`.
"""

from rollout_metrics.figures.ledger import Ledger
from rollout_metrics.figures.samples import Strand
from rollout_metrics.figures.since import Since, Starts, starts
from rollout_metrics.figures.situation import Situation, assisted_since, situation
from rollout_metrics.figures.trail import Trail
from rollout_metrics.figures.windows import Stretch

__all__ = ["Ledger", "Since", "Situation", "Starts", "Strand", "Stretch", "Trail", "assisted_since", "situation", "starts"]
