"""The exporter on Kubernetes: deployment, service, what scrapes it and the rules, as the Prometheus operator takes them."""

from typing import Any

from rollout_metrics.generate.yaml import documents

NAME = "rollout-metrics"
METRICS_PORT, WEB_PORT = 10877, 10878
LABELS = {"app.kubernetes.io/name": NAME}
_HOME = "/var/lib/rollout-metrics"


def manifests(*, comment: str) -> str:
    """Everything but the rules and the configuration, which come as a `ConfigMap` and a `Secret` of the same name."""
    return documents([_service_account(), _claim(), _deployment(), _service(), _monitor()], comment=comment)


def _resource(kind: str, spec: dict[str, Any] | None, version: str = "v1", **more: Any) -> dict[str, Any]:
    head = {"apiVersion": version, "kind": kind, "metadata": {"name": NAME, "labels": LABELS}}
    return head | more | ({} if spec is None else {"spec": spec})


def _service_account() -> dict[str, Any]:
    return _resource("ServiceAccount", None, automountServiceAccountToken=False)


def _claim() -> dict[str, Any]:
    return _resource("PersistentVolumeClaim", {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "10Gi"}}})


def _deployment() -> dict[str, Any]:
    """One replica, since SQLite has one writer; with PostgreSQL more may run side by side."""
    volumes: dict[str, dict[str, Any]] = {
        "configuration": {"configMap": {"name": NAME}},
        "data": {"persistentVolumeClaim": {"claimName": NAME}},
        "tmp": {"emptyDir": {}},
    }
    mounts = {"configuration": "/etc/rollout-metrics", "data": _HOME, "tmp": "/tmp"}  # noqa: S108  (a path in the container)
    container = {
        "name": "exporter",
        "image": f"{NAME}:local",
        "args": ["run", "--config", "/etc/rollout-metrics/rollout-metrics.yaml"],
        "envFrom": [{"secretRef": {"name": NAME, "optional": True}}],
        "ports": [{"name": "metrics", "containerPort": METRICS_PORT}, {"name": "web", "containerPort": WEB_PORT}],
        "startupProbe": _probe("/healthz", periodSeconds=2, failureThreshold=60),
        "livenessProbe": _probe("/healthz", periodSeconds=30, timeoutSeconds=5),
        "readinessProbe": _probe("/readyz", periodSeconds=10, timeoutSeconds=5),
        "resources": {"requests": {"cpu": "100m", "memory": "256Mi"}, "limits": {"memory": "1Gi"}},
        "securityContext": {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}},
        "volumeMounts": [{"name": name, "mountPath": path} | ({"readOnly": True} if name == "configuration" else {}) for name, path in mounts.items()],
    }
    secured = {"runAsNonRoot": True, "runAsUser": METRICS_PORT, "fsGroup": METRICS_PORT, "seccompProfile": {"type": "RuntimeDefault"}}
    pod = {
        "serviceAccountName": NAME,
        "securityContext": secured,
        "terminationGracePeriodSeconds": 15,
        "containers": [container],
        "volumes": [{"name": name, **volume} for name, volume in volumes.items()],
    }
    template = {"metadata": {"labels": LABELS}, "spec": pod}
    return _resource("Deployment", {"replicas": 1, "strategy": {"type": "Recreate"}, "selector": {"matchLabels": LABELS}, "template": template}, "apps/v1")


def _probe(path: str, **more: int) -> dict[str, Any]:
    return {"httpGet": {"path": path, "port": "metrics"}, **more}


def _service() -> dict[str, Any]:
    ports = [{"name": name, "port": port, "targetPort": name} for name, port in (("metrics", METRICS_PORT), ("web", WEB_PORT))]
    # while it is not ready it still serves its last picture and says why: it must not vanish from Prometheus
    return _resource("Service", {"selector": LABELS, "publishNotReadyAddresses": True, "ports": ports})


def _monitor() -> dict[str, Any]:
    endpoint = {"port": "metrics", "interval": "1m", "scrapeTimeout": "10s"}
    return _resource(
        "ServiceMonitor", {"selector": {"matchLabels": LABELS}, "jobLabel": "app.kubernetes.io/name", "endpoints": [endpoint]}, "monitoring.coreos.com/v1"
    )
