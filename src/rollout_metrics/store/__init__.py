"""Everything kept between passes, on SQLite or PostgreSQL: events, what was derived of them, counts, progress."""

from rollout_metrics.store.cases import Applied, Due, Update
from rollout_metrics.store.codec import Counted, Series
from rollout_metrics.store.events import Landed, Past
from rollout_metrics.store.judgements import Judged, Judgement
from rollout_metrics.store.quarantine import Quarantined
from rollout_metrics.store.receipts import Posted
from rollout_metrics.store.store import Store, open_store, upgrade
from rollout_metrics.store.stretches import Between
from rollout_metrics.store.sweeps import Feed, Saved
from rollout_metrics.store.tables import STATE
from rollout_metrics.store.touches import FORMER_PREFIX

__all__ = [
    "FORMER_PREFIX",
    "STATE",
    "Applied",
    "Between",
    "Counted",
    "Due",
    "Feed",
    "Judged",
    "Judgement",
    "Landed",
    "Past",
    "Posted",
    "Quarantined",
    "Saved",
    "Series",
    "Store",
    "Update",
    "open_store",
    "upgrade",
]
