"""One sheet for the works council and the data protection officer: what is read, kept, shown, for how long, and how to switch it off."""

import msgspec

from rollout_metrics.domain.time import Span, format_span


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What is configured."""

    events_kept: Span
    persons_kept: Span
    min_operators: int
    operator_figures: bool
    person_attributes: tuple[str, ...]
    own_key: bool
    rights: int


class Answer(msgspec.Struct, frozen=True):
    """A question and what there is to say."""

    question: str
    lines: tuple[str, ...]


def sheet(terms: Terms) -> list[Answer]:
    """The sheet under these terms. Backticks mark names of options and commands."""
    figures = (
        f"They are switched on, for windows in which at least {terms.min_operators} operators had events (`privacy.min_operators`); for fewer nothing is"
        " published, shown or explained."
        if terms.operator_figures
        else "They are switched off (`privacy.operator_figures: false`)."
    )
    key = (
        "The key comes from the configuration (`privacy.key`) and is not in the database."
        if terms.own_key
        else "The key is random and lies in the database; `privacy.key` keeps it apart."
    )
    rights = (
        f"{terms.rights} entries of `web.rights` say who sees which workflow, who may open cases, and who sees hashes of persons."
        if terms.rights
        else "No rights are configured: whoever reaches the pages sees all workflows and cases, but nothing derived from persons."
    )
    return [
        Answer(
            "What is it for?",
            (
                "It measures the rollout of an AI agent: whether people accept, correct, escalate or go round what it does. It measures no person: there is no"
                " figure of one operator anywhere, no ranking, and no name, number or hash of a person is a label of a figure.",
            ),
        ),
        Answer(
            "What is read?",
            (
                "The audit trails that the ticketing and CRM systems keep anyway: who changed which field of a case when. Read-only, from the sources in the"
                " configuration, for the cases in the scope of a configured workflow.",
                "The texts of comments pass through memory and are not kept, but in records that could not be understood.",
                "`rollout-metrics discover` reads a sample in the same way and stores nothing. The file it writes names the accounts that it takes for"
                " machines; an account that may be a person's is told by what it did, without its id. It asks for the names of groups, queues,"
                " types and fields, never for those of persons.",
            ),
        ),
        Answer(
            "What is kept of people?",
            (
                "Of every event: the time, the kind of actor (agent, operator, customer, system) and, instead of an id, a keyed hash. Names, mail addresses"
                " and phone numbers are not kept.",
                f"Values of these attributes are hashed in the same way: {', '.join(terms.person_attributes)}. Another attribute that holds persons must be"
                " added to them (`privacy.person_attributes`); values of all others are kept as they are.",
                f"Of free text, only keyed 32-bit hashes of its words, so that two texts can be compared and none be read. {key}",
                "A change record names who signed it, as its file does.",
                "A record that could not be understood is set aside as it came, with the names and texts in it, for a later version to understand it"
                " (`rollout-metrics quarantine`). No page and no figure shows what is in it.",
            ),
        ),
        Answer(
            "For how long?",
            (
                f"References to persons are dropped {format_span(terms.persons_kept)} after a case's last event (`store.retention.persons`), its events after"
                f" {format_span(terms.events_kept)} (`store.retention.events`). Counts stay, in which nobody can be told apart, and so do signed"
                " reviews, which name nobody but who signed them.",
                f"What was set aside goes once it is understood, at the latest after {format_span(terms.persons_kept)}.",
                "`rollout-metrics erase ACTOR` takes one person out of everything at once, but not out of what was set aside: `quarantine list` shows that,"
                " `quarantine drop` lets it go.",
            ),
        ),
        Answer(
            "What is shown, and to whom?",
            (
                "Counts, rates and times per workflow, and for each number the cases behind it, by case number, with links into the system they come from,"
                " where that system's own permissions hold.",
                rights,
                "Every list of cases that is opened is logged with who opened it; the log names no case and nobody in it.",
            ),
        ),
        Answer(
            "Which figures rest on operators' behaviour?",
            (
                "Review time, review effort, the share of decisions at a glance, time saved, and a warning sign about one reviewer deciding most: each over all"
                f" operators of a workflow together. {figures}",
            ),
        ),
        Answer(
            "How is it switched off?",
            (
                "`privacy.operator_figures: false` ends the figures on operators' behaviour. A shorter `store.retention.persons` shortens the memory. Taking a"
                " source or a workflow out of the configuration ends its reading; deleting the database deletes everything but what Prometheus has stored,"
                " which holds figures only.",
            ),
        ),
    ]
