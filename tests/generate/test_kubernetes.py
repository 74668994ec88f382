"""The files for Kubernetes: their parts fit each other, the configuration and the rules of Prometheus."""

import yaml

from checkout import ROOT
from rollout_metrics.config.load import load

FOLDER = ROOT / "deploy/kubernetes"
MANIFESTS = {item["kind"]: item for item in yaml.safe_load_all((FOLDER / "exporter.yaml").read_text())}
POD = MANIFESTS["Deployment"]["spec"]["template"]
(CONTAINER,) = POD["spec"]["containers"]
VERSIONS = {
    "ServiceAccount": "v1",
    "PersistentVolumeClaim": "v1",
    "Deployment": "apps/v1",
    "Service": "v1",
    "ServiceMonitor": "monitoring.coreos.com/v1",
}


def test_every_part_is_there_under_one_name_and_of_the_version_that_knows_it():
    assert {kind: item["apiVersion"] for kind, item in MANIFESTS.items()} == VERSIONS
    assert {item["metadata"]["name"] for item in MANIFESTS.values()} == {"rollout-metrics"}


def test_who_selects_finds():
    labels = POD["metadata"]["labels"].items()

    assert MANIFESTS["Deployment"]["spec"]["selector"]["matchLabels"].items() <= labels
    assert MANIFESTS["Service"]["spec"]["selector"].items() <= labels
    assert MANIFESTS["ServiceMonitor"]["spec"]["selector"]["matchLabels"].items() <= MANIFESTS["Service"]["metadata"]["labels"].items()


def test_ports_are_those_of_the_configuration_all_the_way():
    listen = load(ROOT / "deploy/exporter/rollout-metrics.yaml", {}).settings.listen
    ports = {port["name"]: port["containerPort"] for port in CONTAINER["ports"]}
    served = {port["name"]: port["targetPort"] for port in MANIFESTS["Service"]["spec"]["ports"]}

    assert ports == {"metrics": int(listen.metrics.rpartition(":")[2]), "web": int(listen.web.rpartition(":")[2])}
    assert served == {name: name for name in ports}
    assert [endpoint["port"] for endpoint in MANIFESTS["ServiceMonitor"]["spec"]["endpoints"]] == ["metrics"]
    assert {CONTAINER[probe]["httpGet"]["port"] for probe in ("startupProbe", "livenessProbe", "readinessProbe")} == {"metrics"}


def test_an_exporter_that_is_not_ready_does_not_vanish_from_prometheus():
    assert MANIFESTS["Service"]["spec"]["publishNotReadyAddresses"] is True


def test_everything_mounted_is_a_volume_and_what_is_written_lies_on_one():
    volumes = {volume["name"]: volume for volume in POD["spec"]["volumes"]}
    mounts = {mount["name"]: mount["mountPath"] for mount in CONTAINER["volumeMounts"]}
    database = load(ROOT / "deploy/exporter/rollout-metrics.yaml", {}).settings.store.url.removeprefix("sqlite:///")

    assert volumes.keys() == mounts.keys()
    assert database.startswith(mounts["data"])
    assert volumes["data"]["persistentVolumeClaim"]["claimName"] == MANIFESTS["PersistentVolumeClaim"]["metadata"]["name"]
    assert POD["spec"]["serviceAccountName"] == MANIFESTS["ServiceAccount"]["metadata"]["name"]


def test_it_runs_without_privileges_as_the_user_of_the_image():
    secured = POD["spec"]["securityContext"]

    assert secured["runAsNonRoot"] is True
    assert f"USER {secured['runAsUser']}:{secured['fsGroup']}\n" in (ROOT / "deploy/Dockerfile").read_text()
    assert CONTAINER["securityContext"] == {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}


def test_sqlite_has_one_writer():
    assert MANIFESTS["Deployment"]["spec"]["replicas"] == 1
    assert MANIFESTS["Deployment"]["spec"]["strategy"] == {"type": "Recreate"}


def test_the_prometheus_rule_holds_the_rules_that_prometheus_reads_from_files():
    resource = yaml.safe_load((FOLDER / "prometheusrule.yaml").read_text())
    files = [yaml.safe_load((ROOT / f"deploy/prometheus/{name}.yaml").read_text()) for name in ("alerts", "rules")]

    assert (resource["apiVersion"], resource["kind"]) == ("monitoring.coreos.com/v1", "PrometheusRule")
    assert resource["spec"]["groups"] == [group for file in files for group in file["groups"]]
    for group in resource["spec"]["groups"]:
        assert group.keys() <= {"name", "interval", "rules"}
        for rule in group["rules"]:
            assert ("record" in rule) != ("alert" in rule)
            assert rule.keys() <= {"record", "alert", "expr", "for", "keep_firing_for", "labels", "annotations"}
