"""The Helm chart: Helm itself renders it, and Kubernetes' own schemas judge what comes out."""

import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import helm_python
import kubernetes_validate
import pytest
import yaml
from django.conf import settings

from hookline import __version__
from hookline.environment import environment
from tests.test_deploy import SERVICES, filled_in

pytestmark = pytest.mark.embedded

CHART = Path(settings.BASE_DIR) / "deploy/helm/hookline"
VALUES = yaml.safe_load((CHART / "values.yaml").read_text())
SETTINGS = {variable.name for variable in environment.variables}
KUBERNETES = ("1.25", "1.31", "1.37")
SECRETS = {
    "auth": {"apiKey": "k" * 40, "masterKey": "0" * 64, "secretKey": "s" * 40, "consolePass": "pass"},
    "store": {"postgresUrl": "postgres://u:p@db/hookline", "redisUrl": "redis://redis:6379/0"},
}
EVERYTHING: dict[str, dict[str, Any]] = {
    "image": {"repository": "registry.example.com/hookline", "tag": "3.0.1"},
    "api": {"publicUrl": "https://hooks.example.com", "allowedHosts": "hooks.example.com"},
    "delivery": {"workers": 5_000_000, "egressAllow": "10.20.0.0/16:443"},
    "env": {"HL_LOG_LEVEL": "DEBUG"},
    "web": {"autoscaling": {"enabled": True}, "nodeSelector": {"disk": "ssd"}},
    "worker": {"autoscaling": {"enabled": True}, "tolerations": [{"key": "spot", "operator": "Exists"}]},
    "service": {"annotations": {"a": "b"}},
    "ingress": {
        "enabled": True, "className": "nginx", "host": "hooks.example.com", "tlsSecretName": "tls",
        "annotations": {"a": "b"},
    },
    "networkPolicy": {
        "enabled": True,
        "egress": [{"to": [{"podSelector": {"matchLabels": {"app": "db"}}}], "ports": [{"port": 5432}]}],
    },
}  # fmt: skip
CASES: dict[str, Mapping[str, Any]] = {
    "least": SECRETS,
    "everything": SECRETS | EVERYTHING | {"imagePullSecrets": [{"name": "pull"}]},
    "own secret": {"auth": {"existingSecret": "mine"}, "beat": {"enabled": False}},
}


def rendered(values: Mapping[str, Any], *, chart: Path = CHART) -> list[dict[str, Any]]:
    """The manifests that `helm install prod` would send."""
    with helm_python.Chart.load(chart) as loaded:
        texts = loaded.render(dict(values), name="prod", namespace="hooks")
    documents = [yaml.safe_load_all(text) for name, text in texts.items() if not name.endswith(".txt")]
    return [manifest for found in documents for manifest in found if manifest]


def of_kind(kind: str, values: Mapping[str, Any] = SECRETS) -> dict[str, dict[str, Any]]:
    return {
        manifest["metadata"]["name"]: manifest for manifest in rendered(values) if manifest["kind"] == kind
    }


def pods_of(values: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The specification of each kind of pod."""
    made = of_kind("Deployment", values) | of_kind("Job", values)
    return {
        name.removeprefix("prod-hookline-"): found["spec"]["template"]["spec"] for name, found in made.items()
    }


@pytest.mark.parametrize("values", CASES.values(), ids=CASES)
def test_helm_finds_no_fault_with_it(values: Mapping[str, Any]) -> None:
    found = helm_python.lint(CHART, dict(values), strict=True)

    assert [message["error"] for message in found["messages"]] == ["icon is recommended"]


@pytest.mark.parametrize("version", KUBERNETES)
@pytest.mark.parametrize("values", CASES.values(), ids=CASES)
def test_kubernetes_would_take_every_manifest(values: Mapping[str, Any], version: str) -> None:
    manifests = rendered(values)

    assert manifests
    for manifest in manifests:
        kubernetes_validate.validate(manifest, version, strict=True)


def test_a_field_that_kubernetes_does_not_know_would_be_seen() -> None:
    [service] = of_kind("Service").values()
    service["spec"]["port"] = service["spec"].pop("ports")

    with pytest.raises(kubernetes_validate.ValidationError, match="port"):
        kubernetes_validate.validate(service, KUBERNETES[0], strict=True)


@pytest.mark.parametrize(
    ("missing", "told"),
    [
        ({"auth": {"apiKey": ""}}, "Set auth.apiKey"),
        ({"auth": {"masterKey": ""}}, "Set auth.masterKey"),
        ({"auth": {"secretKey": ""}}, "Set auth.secretKey"),
        ({"auth": {"consolePass": ""}}, "Set auth.consolePass"),
        ({"store": {"postgresUrl": ""}}, "Set store.postgresUrl"),
        ({"store": {"redisUrl": ""}}, "Set store.redisUrl"),
        ({"ingress": {"enabled": True}}, "Set ingress.host"),
    ],
)
def test_what_must_be_set_is_asked_for(missing: dict[str, dict[str, Any]], told: str) -> None:
    values = {area: SECRETS.get(area, {}) | missing.get(area, {}) for area in {*SECRETS, *missing}}

    with pytest.raises(helm_python.HelmError, match=told):
        rendered(values)


@pytest.mark.parametrize(
    "wrong",
    [
        {"api": {"port": "eighty"}},
        {"retention": {"secs": 0}},
        {"workers": {"replicas": 2}},
        {"env": {"LOG_LEVEL": "DEBUG"}},
        {"env": {"HL_RETENTION_SECS": 1000000}},
        {"store": {"postgresUrl": "mysql://db"}},
    ],
)
def test_a_wrong_value_is_refused(wrong: dict[str, Any]) -> None:
    found = helm_python.lint(CHART, SECRETS | wrong)

    assert "values don't meet the specifications of the schema" in str(found)


@pytest.mark.parametrize("values", CASES.values(), ids=CASES)
def test_pods_may_do_little_and_have_time_to_drain(values: Mapping[str, Any]) -> None:
    for name, pod in pods_of(values).items():
        [container] = pod["containers"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["automountServiceAccountToken"] is False
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["resources"]["limits"].keys() == {"memory"}
        environment = {each["name"]: each["value"] for each in container["env"]}
        assert (
            name == "migrate" or pod["terminationGracePeriodSeconds"] > int(environment["HL_DRAIN_SECS"]) + 5
        )


@pytest.mark.parametrize("values", CASES.values(), ids=CASES)
def test_every_variable_is_a_setting_written_as_it_is_read(values: Mapping[str, Any]) -> None:
    given = {
        each["name"]: each["value"]
        for pod in pods_of(values).values()
        for each in pod["containers"][0]["env"]
    }
    secret = of_kind("Secret", values).get("prod-hookline", {"stringData": {}})["stringData"]

    assert given.keys() | secret.keys() <= SETTINGS
    assert all(isinstance(text, str) for text in [*given.values(), *secret.values()])
    assert given.get("HL_DELIVERY_WORKERS", "5000000") == "5000000"
    assert given["HL_MAX_PAYLOAD_BYTES"] == "524288"


def test_pods_run_what_compose_runs() -> None:
    pods = pods_of(SECRETS)

    assert pods.keys() == {"migrate", "web", "worker", "beat"}
    for name, pod in pods.items():
        assert pod["containers"][0]["command"] == [filled_in(word) for word in SERVICES[name]["command"]]


@pytest.mark.parametrize("values", CASES.values(), ids=CASES)
def test_migrations_run_before_all_else_and_need_nothing_of_the_release(values: Mapping[str, Any]) -> None:
    [job] = of_kind("Job", values).values()
    [source] = job["spec"]["template"]["spec"]["containers"][0]["envFrom"]
    needed = source["secretRef"]["name"]
    hooks = [
        found for found in rendered(values) if "helm.sh/hook" in found["metadata"].get("annotations", {})
    ]

    assert job["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"
    assert needed == values["auth"].get("existingSecret") or needed in {
        found["metadata"]["name"] for found in hooks if found["kind"] == "Secret"
    }


def test_probes_ask_what_answers() -> None:
    [web] = pods_of(SECRETS)["web"]["containers"]

    assert (web["livenessProbe"]["httpGet"]["path"], web["livenessProbe"]["initialDelaySeconds"]) == (
        "/healthz",
        15,
    )
    assert (web["readinessProbe"]["httpGet"]["path"], web["readinessProbe"]["periodSeconds"]) == (
        "/readyz",
        5,
    )
    assert [port["name"] for port in web["ports"]] == [web["readinessProbe"]["httpGet"]["port"]]


def test_a_new_secret_makes_new_pods() -> None:
    def checksum(values: Mapping[str, Any]) -> str:
        template = of_kind("Deployment", values)["prod-hookline-web"]["spec"]["template"]
        return str(template["metadata"]["annotations"]["checksum/secret"])

    other = SECRETS | {"auth": SECRETS["auth"] | {"apiKey": "another"}}
    assert checksum(SECRETS) == checksum(SECRETS)
    assert checksum(SECRETS) != checksum(other)


def test_workers_reach_the_internet_and_nothing_inside_unless_told() -> None:
    policies = of_kind("NetworkPolicy", CASES["everything"])

    to_all, to_strangers = policies["prod-hookline"], policies["prod-hookline-deliveries"]
    assert to_strangers["spec"]["podSelector"]["matchLabels"]["app.kubernetes.io/component"] == "worker"
    blocks = to_strangers["spec"]["egress"][0]["to"]
    assert {"10.0.0.0/8", "169.254.0.0/16", "192.168.0.0/16"} <= set(blocks[0]["ipBlock"]["except"])
    assert EVERYTHING["networkPolicy"]["egress"][0] in to_all["spec"]["egress"]
    assert of_kind("NetworkPolicy") == {}


def test_the_metrics_are_not_for_the_internet() -> None:
    [ingress] = of_kind("Ingress", CASES["everything"]).values()
    routes = ingress["spec"]["rules"][0]["http"]["paths"]
    paths = [each["path"] for each in routes if each["pathType"] == "Prefix"]

    assert {"/v1", "/console", "/static"} <= set(paths)
    assert not [path for path in paths if "/metrics".startswith(path)]


def test_what_earlier_charts_could_set_can_still_be_set() -> None:
    earlier = """
        api.port api.listenAddr auth.apiKey auth.tenantId auth.singleTenant delivery.workers
        delivery.maxQueueDepth delivery.maxPayloadBytes retention.secs retention.compactIntervalMs
        store.socketPath store.poolSize store.dataDir
    """
    for name in earlier.split():
        area, _, value = name.partition(".")
        assert value in VALUES[area], name


def test_it_is_of_this_version(tmp_path: Path) -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())

    assert chart["version"] == chart["appVersion"] == __version__
    assert SERVICES["web"]["image"] == f"hookline:{__version__}"


def test_every_value_is_used(tmp_path: Path) -> None:
    text = "".join(path.read_text() for path in (CHART / "templates").iterdir())

    used = set(re.findall(r"\.Values((?:\.\w+)+)", text)) | set(re.findall(r"\.pods((?:\.\w+)+)", text))
    for area, values in VALUES.items():
        for name in values if isinstance(values, dict) and values else [""]:
            path = f".{area}.{name}".rstrip(".")
            assert [found for found in used if found.startswith((path, f".{name}" if name else path))], path


def test_it_renders_from_a_package_too(tmp_path: Path) -> None:
    shutil.copytree(CHART, tmp_path / "hookline")
    helm_python.package(tmp_path / "hookline", destination=tmp_path)

    packed = rendered(SECRETS, chart=tmp_path / f"hookline-{__version__}.tgz")
    assert packed == rendered(SECRETS)
