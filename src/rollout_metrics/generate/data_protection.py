"""The sheet on data protection under the default configuration; a running exporter serves the same for its own."""

from rollout_metrics.generate.markdown import generated
from rollout_metrics.overview.data_protection import Terms, sheet

_LEAD = """
For the works council and the data protection officer. A running exporter serves this sheet at `/data-protection`, for its own configuration; these are the
defaults.
"""


def data_protection_document(terms: Terms) -> str:
    """`docs/data-protection.md`."""
    answers = (f"\n## {answer.question}\n\n" + "\n\n".join(answer.lines) + "\n" for answer in sheet(terms))
    return "".join((generated("Data protection, on one page", "the configuration's defaults"), _LEAD, *answers))
