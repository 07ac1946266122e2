"""The manifests of docs/how-to/kubernetes.md and compose.md: containers with these settings run as the pages say."""

import re
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from containers.container import CAPABILITIES, CHECKOUT, CONFIGURATION, Container
from eventually import eventually

PAGES = CHECKOUT / "docs" / "how-to"


def documents(page: str) -> list[dict[str, Any]]:
    """Those of a page's first example."""
    text = (PAGES / page).read_text().partition("```yaml\n")[2].partition("```")[0]
    return list(yaml.safe_load_all(text))


def test_the_pod_of_the_page(tmp_path: Path) -> None:
    configuration, deployment = documents("kubernetes.md")
    pod = deployment["spec"]["template"]["spec"]
    (given,) = pod["containers"]
    secure = given["securityContext"]
    assert {one["mountPath"] for one in given["volumeMounts"]} == {CONFIGURATION, "/tmp"}
    assert secure["capabilities"] == {"drop": ["ALL"]}
    with Container(
        configuration["data"]["corepilot.json5"].replace("interval: 5", "interval: 1"),  # for the test's time
        tmp_path,
        user=pod["securityContext"]["runAsUser"],
        capabilities=(),
        readonly=secure["readOnlyRootFilesystem"],
        no_new_privileges=not secure["allowPrivilegeEscalation"],
        memory_bytes=int(given["resources"]["limits"]["memory"].removesuffix("Mi")) << 20,
    ) as container:
        probes = {name: given[name]["exec"]["command"] for name in ("startupProbe", "readinessProbe", "livenessProbe")}
        eventually(lambda: container.execute(*probes["livenessProbe"]).returncode == 0, message="live")
        eventually(lambda: container.execute(*probes["startupProbe"]).returncode == 0, message="started")
        assert container.execute(*probes["readinessProbe"]).stdout == "ok\n"
        container.execute("pkill", "-STOP", "-f", "http.server")
        eventually(lambda: container.execute(*probes["readinessProbe"]).returncode == 1, message="not ready")
        assert container.execute(*probes["livenessProbe"]).returncode == 0
        before_term = given["lifecycle"]["preStop"]["sleep"]["seconds"]
        assert container.stop(grace_s=pod["terminationGracePeriodSeconds"] - before_term) == 0
        assert "no process had to be killed" in container.lines[-1]


def test_the_project_of_the_page(tmp_path: Path) -> None:
    (project,) = documents("compose.md")
    mode = re.search(r"mode=(\d+)", project["volumes"]["catalog"]["driver_opts"]["o"])
    assert mode is not None
    catalog = tmp_path / "catalog"
    catalog.mkdir()
    catalog.chmod(int(mode[1], 8))
    db, web = (started(project, name, tmp_path, catalog) for name in ("db", "web"))
    with web, db:
        test = project["services"]["db"]["healthcheck"]["test"]
        assert test[0] == "CMD"
        eventually(lambda: db.execute(*test[1:]).returncode == 0, message="healthy")
        web.until("web: started")
        db.signal(signal.SIGTERM)
        assert db.wait() == 0, "which is no failure to restart it for"
        eventually(lambda: web.execute("corepilot", "instances", "db", "-o", "json").stdout.strip() == "[]")
        assert web.stop(grace_s=30) == 0


def started(project: Mapping[str, Any], name: str, directory: Path, catalog: Path) -> Container:
    service = project["services"][name]
    assert service["configs"] == [{"source": name, "target": CONFIGURATION}]
    assert service["volumes"] == ["catalog:/catalog"]
    return Container(
        project["configs"][name]["content"],
        directory / name,
        user=int(service["user"]),
        readonly=service["read_only"],
        capabilities=() if service.get("cap_drop") == ["ALL"] else CAPABILITIES,
        no_new_privileges="no-new-privileges:true" in service.get("security_opt", ()),
        volumes={catalog: "/catalog"},
    )
