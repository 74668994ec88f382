"""Published samples by name and labels: every surface reads the same ones."""

from collections.abc import Iterable, Iterator, Mapping

from rollout_metrics.catalog import Family

Series = frozenset[tuple[str, str]]

_SUFFIXES = ("_total", "_info", "_bucket", "_sum", "_count")


class Values:
    """Samples of families, looked up by the name of the sample and its labels. A family is indexed when it is first asked for."""

    def __init__(self, families: Iterable[Family]) -> None:
        self._families = {family.name: family for family in families}
        self._samples: dict[str, dict[Series, float]] = {}

    def get(self, name: str, labels: Mapping[str, str]) -> float | None:
        """One value; None where there is no sample."""
        return self._of(name).get(frozenset(labels.items()))

    def having(self, name: str, labels: Mapping[str, str]) -> Iterator[tuple[dict[str, str], float]]:
        """Every series of a name that has these labels, with its other labels, in order of those."""
        wanted = frozenset(labels.items())
        found = [(sorted(series - wanted), value) for series, value in self._of(name).items() if wanted <= series]
        return ((dict(others), value) for others, value in sorted(found))

    def total(self, name: str, labels: Mapping[str, str], where: Mapping[str, frozenset[str]] | None = None) -> float | None:
        """The sum over the series that have these labels and one of the values of `where`; None where there are none at all."""
        wanted = where or {}
        found = [value for others, value in self.having(name, labels) if all(others.get(label, labels.get(label)) in wanted[label] for label in wanted)]
        return sum(found) if found else None

    def _of(self, name: str) -> dict[Series, float]:
        known = self._samples.get(name)
        if known is None:
            known = self._samples[name] = {}
            family = self._families.get(name) or next(
                (self._families[name.removesuffix(end)] for end in _SUFFIXES if name.removesuffix(end) in self._families), None
            )
            if family is not None:
                suffix = name.removeprefix(family.name)
                known.update((frozenset(labels), value) for end, labels, value in family.samples if end == suffix)
        return known
