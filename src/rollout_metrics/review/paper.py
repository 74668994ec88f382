"""A review as PDF, by WeasyPrint where it is installed."""

from rollout_metrics.domain.errors import ConfigurationError


def pdf(page: str) -> bytes:
    """The page as it is printed. Raises `ConfigurationError` where this cannot be done here, with what to do."""
    try:
        from weasyprint import HTML  # an extra, with libraries of its own
    except ImportError:
        raise ConfigurationError("PDF needs WeasyPrint: pip install 'rollout-metrics[pdf]', or print the HTML from a browser") from None
    except OSError as error:
        raise ConfigurationError(f"WeasyPrint lacks a library ({error}): on Debian install libpango-1.0-0 and libpangoft2-1.0-0") from None
    made = HTML(string=page, base_url=None, url_fetcher=_nothing).write_pdf()
    assert isinstance(made, bytes)
    return made


def _nothing(url: str, *_: object, **__: object) -> dict[str, object]:
    """Nothing is fetched: a review holds all that it shows."""
    raise ValueError(f"a review fetches nothing, and {url} is no part of it")
