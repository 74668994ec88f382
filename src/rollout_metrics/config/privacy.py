"""What the configuration says about people's data, for the sheet that explains it."""

from rollout_metrics.config.model import Settings
from rollout_metrics.overview.data_protection import Terms


def terms(settings: Settings) -> Terms:
    """The terms under which data about people are kept and shown."""
    privacy, kept = settings.privacy, settings.store.retention
    return Terms(
        events_kept=kept.events,
        persons_kept=kept.persons,
        min_operators=privacy.min_operators,
        operator_figures=privacy.operator_figures,
        person_attributes=tuple(sorted(privacy.person_attributes)),
        own_key=privacy.key is not None,
        rights=len(settings.web.rights),
    )
