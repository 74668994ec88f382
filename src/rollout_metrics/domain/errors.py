"""The handful of things that can go wrong, each named after its remedy; every message says what, where and what to do."""

from enum import StrEnum


class FailureKind(StrEnum):
    """Why a sweep failed, as metrics and alerts name it."""

    CREDENTIALS = "credentials"
    UNAVAILABLE = "unavailable"
    TRUNCATED = "truncated"
    PAYLOAD = "payload"
    OTHER = "other"
    """Storage, configuration, or a defect of ours."""


class RolloutMetricsError(Exception):
    """Anything this program raises on purpose; the command line turns it into one line on stderr."""

    exit_code = 1
    kind = FailureKind.OTHER


class ConfigurationError(RolloutMetricsError):
    """The configuration must be changed. `problems` lists every one found, each with file, line and path."""

    exit_code = 2

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class CredentialsError(RolloutMetricsError):
    """A source refused us: give it another token, or the token another permission."""

    kind = FailureKind.CREDENTIALS


class RetryLater(RolloutMetricsError):  # noqa: N818  (a remedy, not a mishap)
    """A source is throttling or down; `after_seconds` is its own wish, or None."""

    kind = FailureKind.UNAVAILABLE

    def __init__(self, message: str, after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.after_seconds = after_seconds


class PayloadError(RolloutMetricsError):
    """A page or record is not what the source documents; the message names the page."""

    kind = FailureKind.PAYLOAD


class TruncatedError(PayloadError):
    """A list or an answer ended before its end, or would never end: what was read is not all there is."""

    kind = FailureKind.TRUNCATED


class StorageError(RolloutMetricsError):
    """The database is lost, locked, full or not ours; the message says which and what to do."""
