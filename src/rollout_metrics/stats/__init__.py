"""Intervals, survival and trimmed means: pure functions of samples, each with the source of its formula."""
