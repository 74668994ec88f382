"""What an action's values mean: where an event carries them, when two are the same, alike, or one progress from the other (definitions, sections 1 and 3)."""

from collections.abc import Callable

import msgspec

from rollout_metrics.derive.kept import kept
from rollout_metrics.derive.similarity import similarity
from rollout_metrics.domain.events import Event, text_value
from rollout_metrics.domain.policy import AttributeType, Decides, Workflow
from rollout_metrics.domain.pseudonyms import are_words

KEPT_TERMS = 1000
"""Actions of a workflow whose terms are kept."""

_SINGLE = AttributeType.SINGLE


class Terms(msgspec.Struct, frozen=True):
    """One action's terms. `decides` is None for an action that the workflow does not decide; `progress` holds the pairs (earlier, later)."""

    action: str
    decides: Decides | None
    type: AttributeType
    attribute: str | None
    comment: bool
    progress: frozenset[tuple[str, str]]
    edit_similarity: float
    reversible: bool
    words: Callable[[str], str]

    def value(self, event: Event) -> str | None:
        """The value an event gives: its `after` for `set:` actions (null: unset), else `detail.value` (null: missing)."""
        if self.attribute is not None:
            return event.after
        value = event.detail.get("value")
        return value if value is None else text_value(value)

    def same(self, one: str | None, other: str | None) -> bool:
        """Whether two values agree: a missing one agrees with any; unset is a value of its own. One that was stored without knowing whose value it is
        agrees by its words."""
        if one == other:
            return True
        if one is None or other is None:
            return self.attribute is None
        if are_words(one) is not are_words(other):
            return self.words(one) == self.words(other)
        return self.type is not _SINGLE and similarity(self.type, one, other) == 1

    def advances(self, one: str | None, other: str | None) -> bool:
        """Whether `other` is progress from `one`."""
        return (one, other) in self.progress

    def alike(self, one: str | None, other: str | None) -> bool:
        """Whether one is an edit of the other rather than something else."""
        if self.type is _SINGLE and one != other:
            return self.edit_similarity <= 0
        return similarity(self.type, one, other) >= self.edit_similarity

    def replaces(self, one: str | None, other: str | None) -> bool:
        """Whether doing the action with `other` puts away `one`: it differs, is no progress from it and not alike. A comment replaces nothing."""
        return not (self.comment or self.same(one, other) or self.advances(one, other) or self.alike(one, other))


class AllTerms(dict[str, Terms]):
    """The terms of any action in a workflow, kept for as many as a company can have; names in events know no bounds."""

    def __init__(self, workflow: Workflow) -> None:
        super().__init__(decided_terms(workflow))
        self._workflow = workflow

    def __missing__(self, action: str) -> Terms:
        """The terms of an action that was not asked for before."""
        terms = _terms(self._workflow, action, None)
        if len(self) < KEPT_TERMS:
            self[action] = terms
        return terms


@kept
def terms_of(workflow: Workflow) -> AllTerms:
    """The terms of any action in a workflow."""
    return AllTerms(workflow)


@kept
def decided_terms(workflow: Workflow) -> dict[str, Terms]:
    """The terms of the actions that the workflow decides."""
    return {action: _terms(workflow, action, decides) for action, decides in workflow.decides.items()}


def _terms(workflow: Workflow, action: str, decides: Decides | None) -> Terms:
    attribute = action.removeprefix("set:") if action.startswith("set:") else None
    comment = action.startswith("comment:")
    lists = decides.progress if decides else ()
    default = AttributeType.TEXT if comment else AttributeType.SINGLE if attribute is None else workflow.type_of(attribute)
    return Terms(
        action=action,
        decides=decides,
        type=decides.type if decides else default,
        attribute=attribute,
        comment=comment,
        progress=frozenset((one, other) for stages in lists for place, one in enumerate(stages) for other in stages[place + 1 :] if one != other),
        edit_similarity=decides.edit_similarity if decides else workflow.edit_similarity,
        reversible=decides.reversible if decides else True,
        words=workflow.words,
    )
