"""How often a gate that is looked at after every decision passes, or fails, an agent that is exactly at its limit: computed exactly, no runs drawn."""

from math import log
from pathlib import Path

import numpy as np
from scipy.special import betaln

from rollout_metrics.stats.anytime import CONFIDENCE, Side, Verdict, verdict

LIMITS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99)
ALLOWED = 0.025


def run(_work: Path, *, full: bool) -> None:
    """A line for each limit: the chances over all looks that the interval comes to lie wholly below it, and wholly above it."""
    looks = 20_000 if full else 4_000
    print(f"an agent exactly at its limit, looked at after each of {looks:,} decisions")
    print("limit   at_most passes   at_least passes")
    worst = {Side.AT_MOST: 0.0, Side.AT_LEAST: 0.0}
    for limit in LIMITS:
        below, above = ever(limit, looks)
        print(f"{limit:5.3f}   {below:14.2%}   {above:15.2%}")
        if limit <= 0.5:
            worst[Side.AT_MOST] = max(worst[Side.AT_MOST], below)
        if limit >= 0.5:
            worst[Side.AT_LEAST] = max(worst[Side.AT_LEAST], above)
    for side, found in worst.items():
        span = "up to 0.5" if side is Side.AT_MOST else "from 0.5"
        met = "ok  " if found <= ALLOWED else "MISS"
        print(f"{met} {side.value}, limit {span}: an agent at its limit passes in at most {found:.2%}, target {ALLOWED:.1%}")


def ever(limit: float, looks: int) -> tuple[float, float]:
    """The chances that the interval ever lies wholly below, and wholly above, the true rate."""
    chances = [0.0, 0.0]
    for place, side in enumerate((-1, 1)):
        alive = np.zeros(looks + 2)
        alive[0] = 1.0
        numbers = np.arange(looks + 2)
        for n in range(1, looks + 1):
            alive[1 : n + 1] = alive[1 : n + 1] * (1 - limit) + alive[:n] * limit
            alive[0] *= 1 - limit
            k = numbers[: n + 1]
            ratio = betaln(k + 0.5, n - k + 0.5) - betaln(0.5, 0.5) - k * log(limit) - (n - k) * log(1 - limit)
            out = (ratio > log(CONFIDENCE)) & ((k - limit * n) * side > 0)
            chances[place] += float(alive[: n + 1][out].sum())
            alive[: n + 1][out] = 0
            if n in (50, 500):
                _agrees(limit, n, out, side)
    return chances[0], chances[1]


def _agrees(limit: float, n: int, out: np.ndarray, side: int) -> None:
    """That this is what the product judges."""
    passes = Side.AT_MOST if side < 0 else Side.AT_LEAST
    found = [verdict(k, n, limit, passes).verdict is Verdict.PASS for k in range(n + 1)]
    assert found == out.tolist(), (limit, n)
