"""Change records: what a record file may hold, and what is wrong with one."""

from pathlib import Path
from textwrap import dedent

import msgspec
import pytest

from rollout_metrics.config.load import load
from rollout_metrics.domain.changes import Change, ChangeKind, Incident, Intervention, InterventionKind
from rollout_metrics.domain.errors import ConfigurationError
from rollout_metrics.domain.time import parse_instant

CONFIGURATION = """\
sources: {desk: {kind: events, paths: in}}
workflows:
  - {name: refunds, sources: desk, scope: {form: 2}, decides: refund, levels: [{level: assisted}]}
  - {name: triage, sources: desk, scope: {form: 1}, decides: close, levels: [{level: assisted}]}
changes: {paths: changes}
"""


def read(folder: Path, **files: str) -> tuple[Change, ...]:
    (folder / "changes").mkdir()
    (folder / "c.yaml").write_text(CONFIGURATION)
    for name, text in files.items():
        (folder / "changes" / f"{name}.yaml").write_text(dedent(text))
    return load(folder / "c.yaml", {}).changes


def problems(folder: Path, **files: str) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        read(folder, **files)
    return [problem.removeprefix(f"{folder}/changes/") for problem in caught.value.problems]


def test_a_file_holds_one_record_or_a_list_of_them_and_nothing_is_fine_too(tmp_path: Path) -> None:
    changes = read(
        tmp_path,
        one="{id: c1, workflow: refunds, kind: prompt, proposed_at: 2026-03-01}",
        two="- {id: c2, workflow: triage, kind: model, proposed_at: 2026-03-01}\n- {id: c3, workflow: triage, kind: tool, proposed_at: 2026-03-01}",
        three="# nothing yet\n",
    )

    assert [change.id for change in changes] == ["c1", "c2", "c3"]


def test_a_record_is_read_as_it_stands(tmp_path: Path) -> None:
    (change,) = read(
        tmp_path,
        record="""\
            id: 0815
            workflow: refunds
            kind: level
            level: off
            title: Back to the start
            version: 1.10
            environment: production
            risk_class: high
            proposed_at: 2026-03-01
            reviewed_at: 2026-03-01T08:00:00+01:00
            approved_at: 2026-03-01T09:00:00Z
            deployed_at: 2026-03-01T10:00:00Z
            recovered_at: 2026-03-01T12:00:00Z
            fixes: wrong_amount
            incidents:
              - {id: INC-1, started_at: 2026-03-01T10:30:00Z, ended_at: 2026-03-01T12:00:00Z, url: "https://example.test/1"}
            interventions:
              - {kind: rollback, at: 2026-03-01T11:00:00Z}
        """,
    )
    at = parse_instant

    assert change.lacks > 0
    assert msgspec.structs.replace(change, lacks=0) == Change(
        id="0815",
        workflow="refunds",
        kind=ChangeKind.LEVEL,
        title="Back to the start",
        version="1.10",
        environment="production",
        risk_class="high",
        proposed_at=at("2026-03-01T00:00:00Z"),
        reviewed_at=at("2026-03-01T07:00:00Z"),
        approved_at=at("2026-03-01T09:00:00Z"),
        deployed_at=at("2026-03-01T10:00:00Z"),
        recovered_at=at("2026-03-01T12:00:00Z"),
        level=0,
        reworks=None,
        fixes=("wrong_amount",),
        incidents=(Incident("INC-1", at("2026-03-01T10:30:00Z"), at("2026-03-01T12:00:00Z"), "https://example.test/1"),),
        interventions=(Intervention(InterventionKind.ROLLBACK, at("2026-03-01T11:00:00Z"), at("2026-03-01T11:00:00Z")),),
    )


def test_every_mistake_in_every_file_is_told_at_once(tmp_path: Path) -> None:
    assert problems(
        tmp_path,
        a="""\
            - id: c1
              workflow: refund
              kind: prompt
              proposed_at: 2026-03-01
            - id: c2
              workflow: refunds
              kind: promt
              proposed_at: soon
            - id: c3
              workflow: refunds
              kind: level
              proposed_at: 2026-03-01
            - id: c4
              workflow: refunds
              kind: prompt
              level: shadow
              proposed_at: 2026-03-01
            - c5
        """,
        b="""\
            id: c1
            workflow: refunds
            kind: prompt
            proposed: 2026-03-01
        """,
        c="""\
            - {id: c1, workflow: refunds, kind: prompt, proposed_at: 2026-03-01}
            - id: c6
              workflow: refunds
              kind: prompt
              proposed_at: 2026-03-01
              reworks: c7
            - {id: c8, workflow: refunds, kind: prompt, proposed_at: 2026-03-02, deployed_at: 2026-03-01}
            - {id: c9, workflow: refunds, kind: prompt, proposed_at: 2026-03-02, recovered_at: 2026-03-03}
            - {id: c10, workflow: refunds, kind: prompt, proposed_at: 2026-03-02, incidents: [{id: i, started_at: 2026-03-03, ended_at: 2026-03-02}]}
        """,
        d="id: [\n",
    ) == [
        "d.yaml:2: the file: is no YAML: expected the node content, but found '<stream end>'",
        "a.yaml:2: [0].workflow: there is no workflow 'refund'; did you mean 'refunds'?",
        "a.yaml:7: [1].kind: 'promt' is none of prompt, model, tool, policy, permission, retrieval, memory, workflow, level; did you mean 'prompt'?",
        "a.yaml:8: [1].proposed_at: 'soon' is no date such as 2026-03-01 and no time such as 2026-03-01T10:00:00Z",
        "a.yaml:9: [2]: a change of kind level needs `level`: say which level it moves to",
        "a.yaml:13: [3]: a change of kind prompt has no level: remove `level`, or make it kind level",
        "a.yaml:18: [4]: must be a mapping of options, not 'c5'",
        "b.yaml:1: [0].proposed_at: is missing",
        "b.yaml:4: [0].proposed: there is no option 'proposed'; did you mean 'proposed_at'?",
        f"c.yaml:1: [0].id: 'c1' is taken by {tmp_path}/changes/a.yaml:1: give every change an id of its own",
        "c.yaml:6: [1].reworks: there is no change 'c7'; known are c1, c10, c2, c3, c4, c6, c8, c9",
        "c.yaml:7: [2]: deployed_at lies before proposed_at: correct one of them",
        "c.yaml:8: [3]: recovered_at needs an earlier deployed_at: correct one of them",
        "c.yaml:9: [4].incidents[0]: ends before it starts: correct started_at or ended_at",
    ]


def test_a_record_that_has_problems_still_counts_as_known(tmp_path: Path) -> None:
    assert problems(
        tmp_path,
        a="{id: c1, workflow: refunds, kind: promt, proposed_at: 2026-03-01}",
        b="{id: c2, workflow: refunds, kind: prompt, proposed_at: 2026-03-01, reworks: c1}",
    ) == ["a.yaml:1: [0].kind: 'promt' is none of prompt, model, tool, policy, permission, retrieval, memory, workflow, level; did you mean 'prompt'?"]
