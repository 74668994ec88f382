"""Kinds of sources are found by name."""

import pytest

from rollout_metrics import sources
from rollout_metrics.domain.errors import ConfigurationError
from rollout_metrics.sources.zendesk import Zendesk


def test_a_module_is_a_kind() -> None:
    assert {"zendesk", "hubspot"} <= set(sources.kinds())
    assert sources.find("zendesk") is Zendesk


def test_a_misspelt_kind_is_answered_with_the_nearest() -> None:
    with pytest.raises(ConfigurationError, match="no kind of source 'zendsk': did you mean 'zendesk'"):
        sources.find("zendsk")


def test_an_unknown_kind_is_answered_with_all_there_are() -> None:
    with pytest.raises(ConfigurationError, match=r"there are: .*hubspot.*zendesk"):
        sources.find("qqq")
