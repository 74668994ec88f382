"""What a person writes: every section of the configuration file with its options, types and defaults. Defaults live here and nowhere else."""

from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr
from pydantic.networks import IPvAnyNetwork

from rollout_metrics.collect.queries import check_url
from rollout_metrics.collect.source import Duration, Positive
from rollout_metrics.config.values import Address, Options, Ratio, Texts, one_or_many
from rollout_metrics.config.workflow import WorkflowOptions
from rollout_metrics.domain.time import DAY, HOUR, MINUTE, SECOND


class RetentionOptions(Options):
    """How long what is kept."""

    events: Positive = 400 * DAY
    """Events of cases older than this are dropped; counts stay."""
    persons: Positive = 180 * DAY
    """Person references older than this are dropped."""


def _database(url: str) -> str:
    check_url(url)
    return url


DEFAULT_URL = "sqlite:///rollout-metrics.db"


class StoreOptions(Options):
    """Where events, facts and counts are kept."""

    url: Annotated[str, AfterValidator(_database), Field(repr=False)] = DEFAULT_URL
    """SQLAlchemy URL: `sqlite:///PATH` or `postgresql+psycopg://USER@HOST/DATABASE`."""
    password_file: Path | None = None
    """File that holds the database password, so that the URL need not."""
    migrate: bool = True
    """Bring the schema up to date at start; false: `rollout-metrics db upgrade` does it."""
    retention: RetentionOptions = RetentionOptions()


class PrivacyOptions(Options):
    """What is kept of persons."""

    key: SecretStr | None = None
    """Key of the hashes of persons and words; default: a random one, kept in the database. `key_file` reads it from a file."""
    min_operators: Annotated[int, Field(ge=1)] = 5
    """Figures on operators' behaviour need at least this many of them."""
    operator_figures: bool = True
    """False: no figures on operators' behaviour at all."""
    person_attributes: Texts = frozenset({"assignee", "owner", "requester", "submitter", "reviewer", "collaborators", "followers", "approver"})
    """Attributes whose values are persons: stored as keyed hashes."""


class ListenOptions(Options):
    """The two listeners; loopback unless told otherwise."""

    metrics: Address = "127.0.0.1:10877"
    """`/metrics`, `/healthz`, `/readyz` and a landing page."""
    web: Address = "127.0.0.1:10878"
    """The pages for people and the push endpoint."""
    metrics_web_config: Path | None = None
    """TLS and basic authentication of the metrics listener, in the format of Prometheus' web configuration."""
    web_web_config: Path | None = None
    """The same for the other listener."""


class RightOptions(Options):
    """What some people may see."""

    users: Annotated[Texts, Field(min_length=1)]
    """Names as basic authentication or the proxy gives them; `*`: everyone who is let in."""
    workflows: Texts | None = None
    """Workflows whose figures they see; default: all."""
    evidence: bool = True
    """Whether they may also open the cases and events behind the figures."""
    persons: bool = False
    """Whether these show who acted, as the keyed hash that is stored of a person."""


class WebOptions(Options):
    """Who sees what on the pages for people. With no rights given, everyone who reaches the listener sees everything but persons."""

    proxy_header: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9-]*$")] | None = None
    """Header in which an authenticating proxy names the user, such as `X-Forwarded-User`; default: no proxy is trusted."""
    proxy_addresses: tuple[IPvAnyNetwork, ...] = (ip_network("127.0.0.1/32"), ip_network("::1/128"))
    """Addresses or networks from which that header is believed."""
    rights: tuple[RightOptions, ...] = ()
    """What whom may see; rights of several entries add up."""


class ScheduleOptions(Options):
    """When passes run."""

    grace: Duration = 10 * SECOND
    """How long a stop waits for a running sweep."""
    heartbeat: Positive = 15 * MINUTE
    """A push source is read up to now while its last request is at most this old."""


class ChangesOptions(Options):
    """Where change records are."""

    paths: Annotated[tuple[Path, ...], BeforeValidator(one_or_many, json_schema_input_type=str | tuple[str, ...])] = ()
    """YAML files, or directories of them."""


class DatabaseOptions(Options):
    """A database that harm metrics of change records may ask, under the name they use for it."""

    url: Annotated[str, AfterValidator(_database), Field(repr=False)]
    """SQLAlchemy URL of a login that can only read."""
    password: SecretStr | None = None
    """The database's password, so that the URL need not hold it. `password_file` reads it from a file."""


class PrometheusOptions(Options):
    """The Prometheus that harm metrics of change records may ask."""

    url: str
    """Where its API answers, such as `http://localhost:9090/`."""
    token: SecretStr | None = None
    """A bearer token, where it wants one. `token_file` reads it from a file."""
    ca_file: Path | None = None
    """A file of certificates to trust instead of the system's."""


class HarmReadingOptions(Options):
    """Where harm metrics from elsewhere are read. Each reading is kept with its instant."""

    databases: dict[str, DatabaseOptions] = Field(default={})
    """Name -> a database; a record's harm metric says `database: NAME` and `sql`."""
    prometheus: PrometheusOptions | None = None
    """For harm metrics with `promql`."""
    every: Positive = HOUR
    """How often each is read while its deployment is watched."""
    timeout: Positive = 30 * SECOND
    """How long an answer may take."""


class ReviewOptions(Options):
    """What the quarterly review says in money."""

    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] = "EUR"
    """ISO 4217 code of the rates."""
    hourly_rate: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    """What an hour of an operator costs; without one the review speaks of hours only."""
    hourly_rates: dict[str, Annotated[float, Field(gt=0, allow_inf_nan=False)]] = Field(default={})
    """Workflow -> its own rate."""


class LogOptions(Options):
    """The log on stderr."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """The least that is logged."""
    format: Literal["logfmt", "json"] = "logfmt"
    """How a line is written."""


class AlertOptions(Options):
    """Thresholds of the shipped alerts; dashboards draw the same lines."""

    override_limit: Ratio = 0.25
    """The line that dashboards draw for override. Alerts go by the workflow's own past."""
    bypass_limit: Ratio = 0.25
    """The same for bypass."""
    minimum_cases: Annotated[int, Field(ge=1)] = 20
    """Below this many cases no behaviour alert fires."""
    within_target: Ratio = 0.8
    """Escalation target missed: the upper bound of the 7 d share acknowledged in time is below this."""
    rots_after: Positive = 3 * DAY
    """Escalation queue rotting: the oldest open escalation is older than this."""
    rubber_stamp_limit: Ratio = 0.25
    """Rubber-stamping: the lower bound of the 7 d rubber-stamp ratio is beyond this."""
    coverage_limit: Ratio = 0.9
    """Coverage lost: the upper bound of a coverage ratio is below this."""
    quarantine_limit: Annotated[int, Field(ge=0)] = 20
    """Quarantine growing: more records than this were set aside in a day."""
    stale_after: Positive = HOUR
    """A source whose watermark is older than this is stale, but for sources with a `stale_after` of their own; and so is a snapshot of this age."""
    runbooks_url: str = "http://localhost:3000/public/runbooks"
    """Where the runbooks of `docs/runbooks` can be read; the shipped Grafana serves them there."""
    pages_url: str = "http://localhost:10878"
    """Where people reach the listener for people: dashboards lead to the cases behind a figure there."""
    grafana_url: str = "http://localhost:3000"
    """Where people reach Grafana: alerts link to its dashboards."""


class Settings(Options):
    """The whole configuration file."""

    sources: dict[str, Any] = Field(default={}, repr=False)
    """Name -> options of a source; `kind` says which."""
    workflows: tuple[WorkflowOptions, ...] = ()
    changes: ChangesOptions = ChangesOptions()
    store: StoreOptions = StoreOptions()
    privacy: PrivacyOptions = PrivacyOptions()
    listen: ListenOptions = ListenOptions()
    web: WebOptions = WebOptions()
    schedule: ScheduleOptions = ScheduleOptions()
    alerts: AlertOptions = AlertOptions()
    harm: HarmReadingOptions = HarmReadingOptions()
    review: ReviewOptions = ReviewOptions()
    log: LogOptions = LogOptions()
