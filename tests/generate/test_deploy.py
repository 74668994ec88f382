"""The files under deploy: they parse, they agree with each other, and the programs that read them accept them."""

import re
from pathlib import Path

import pytest
import yaml

from checkout import ROOT, inputs, promtool, run
from rollout_metrics.catalog.alerts import alerts
from rollout_metrics.config.load import load

DEPLOY = ROOT / "deploy"
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
SERVICES = COMPOSE["services"]
YAML_FILES = sorted(DEPLOY.rglob("*.yaml"))


@pytest.mark.parametrize("file", YAML_FILES, ids=[file.relative_to(DEPLOY).as_posix() for file in YAML_FILES])
def test_every_yaml_file_parses(file):
    assert all(yaml.safe_load_all(file.read_text()))


def test_everything_that_compose_mounts_exists():
    for service in SERVICES.values():
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            assert (DEPLOY / source).exists() if source.startswith(".") else source in COMPOSE["volumes"], volume


def test_folders_are_mounted_since_a_file_that_an_editor_replaced_would_stay_the_old_one():
    sources = [volume.split(":")[0] for service in SERVICES.values() for volume in service.get("volumes", ())]

    assert [source for source in sources if source.startswith(".") and not (DEPLOY / source).is_dir()] == []


def test_images_name_their_registry_and_are_pinned_to_a_version():
    images = [service["image"] for service in SERVICES.values() if "build" not in service]

    assert len(images) == 3
    assert all(re.fullmatch(r"docker\.io/[a-z/]+:v?\d+\.\d+\.\d+", image) for image in images)


def test_no_service_has_more_rights_than_it_needs_or_stays_away_after_a_crash():
    for service in SERVICES.values():
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert service["restart"] == "unless-stopped"
        assert "privileged" not in service


def test_links_in_messages_lead_to_the_published_ports():
    for name in ("prometheus", "alertmanager"):
        (port,) = SERVICES[name]["ports"]

        assert f"--web.external-url=http://localhost:{port.split(':')[1]}" in SERVICES[name]["command"]


def test_git_keeps_no_secret_and_no_event_that_compose_mounts():
    ignored = (ROOT / ".gitignore").read_text().splitlines()

    assert {"deploy/inbox/*", "deploy/secrets/*", "!deploy/*/README.md"} <= set(ignored)


def test_nothing_is_published_beyond_this_machine():
    assert all(port.startswith("127.0.0.1:") for service in SERVICES.values() for port in service["ports"])


def test_the_programs_find_each_other():
    scraped = yaml.safe_load((DEPLOY / "prometheus/prometheus.yaml").read_text())
    targets = [target for job in scraped["scrape_configs"] for static in job["static_configs"] for target in static["targets"]]
    sent_to = [target for one in scraped["alerting"]["alertmanagers"] for static in one["static_configs"] for target in static["targets"]]
    source = yaml.safe_load((DEPLOY / "grafana/provisioning/datasources/prometheus.yaml").read_text())["datasources"][0]

    assert "exporter:10877" in targets
    assert sent_to == ["alertmanager:9093"]
    assert source["url"] == "http://prometheus:9090"
    assert {target.split(":")[0] for target in (*targets, *sent_to)} - {"localhost"} <= set(SERVICES)


def test_grafana_finds_dashboards_and_runbooks_where_they_are_mounted():
    mounted = {volume.split(":")[1]: DEPLOY / volume.split(":")[0] for volume in SERVICES["grafana"]["volumes"]}
    provider = yaml.safe_load((DEPLOY / "grafana/provisioning/dashboards/rollout-metrics.yaml").read_text())["providers"][0]

    assert list(mounted[provider["options"]["path"]].glob("*.json"))
    home = Path(SERVICES["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])
    assert (mounted[str(home.parent)] / home.name).is_file()
    assert (mounted["/usr/share/grafana/public/runbooks"] / "override-spike.md").is_file()
    for alert in alerts(inputs()["thresholds"]):
        assert alert.runbook_url.startswith("http://localhost:3000/public/runbooks/")


def test_the_exporters_configuration_is_valid_and_reachable_from_the_other_containers():
    configuration = load(DEPLOY / "exporter/rollout-metrics.yaml", {})
    settings = configuration.settings

    assert [warning for warning in configuration.warnings if "listen.web" not in warning] == []
    assert (settings.listen.metrics, settings.listen.web) == ("0.0.0.0:10877", "0.0.0.0:10878")
    assert settings.store.url.startswith("sqlite:////var/lib/rollout-metrics/")


def test_prometheus_accepts_its_configuration():
    checked = promtool("check", "config", DEPLOY / "prometheus/prometheus.yaml")

    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_image_installs_pinned_packages_only_and_runs_without_privileges():
    dockerfile = (DEPLOY / "Dockerfile").read_text()

    assert dockerfile.count("--require-hashes") == 2
    assert "\nUSER 10877:10877\n" in dockerfile
    assert "HEALTHCHECK" in dockerfile
    assert "# syntax=" not in dockerfile  # would fetch a frontend from a registry before anything else
    copied = {name for names in re.findall(r"^COPY (?!--from)(.+) \S+$", dockerfile, re.MULTILINE) for name in names.split()}
    assert [name for name in copied if not (ROOT / name).exists()] == []
    assert copied == set(re.findall(r"^!(\S+)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE))


def test_systemd_understands_the_unit():
    checked = run("systemd-analyze", "verify", DEPLOY / "systemd/rollout-metrics.service", package="systemd")
    complaints = [line for line in checked.stderr.splitlines() if "rollout-metrics.service" in line and "is not executable" not in line]

    assert complaints == []
