"""The compose files: valid, no secret has a default, and a GPU host gets none of the control plane's.

That they work is shown by test_scale_out.py, which runs what stands in them. Where docker's compose client
is installed, it checks the files as well.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from compose_spec import PyCompose

from tests.e2e.compose import GPU_HOST, MAIN, REPOSITORY, TLS, Missing, image_variables, load

SECRETS = {
    "POSTGRES_PASSWORD",
    "AIRFLOW_FERNET_KEY",
    "AIRFLOW_JWT_SECRET",
    "AIRFLOW_API_SECRET_KEY",
    "AIRFLOW_ADMIN_PASSWORD",
    "JOULEBOARD_WORKER_SECRET",
}
COMPONENTS = {"api-server", "scheduler", "dag-processor", "triggerer"}
GIVEN = {name: f"value-of-{name.lower()}" for name in SECRETS}


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return load(MAIN, GIVEN)


def valid(content: dict[str, Any]) -> list[str]:
    """Names of the services of a file that the compose specification allows."""
    return PyCompose.from_json(json.dumps(content)).service_names()


@pytest.mark.parametrize("file", [MAIN, GPU_HOST])
def test_the_files_are_what_the_compose_specification_allows(file: Path) -> None:
    content = load(file, GIVEN)
    assert valid(content) == list(content["services"])
    content["services"]["gpu-worker"]["comand"] = ["a typo"]
    with pytest.raises(ValueError, match="comand"):
        valid(content)


def test_the_proxy_s_file_is_valid_and_only_its_network_is_believed(compose: dict[str, Any]) -> None:
    certificates = {"JOULEBOARD_CERTIFICATES": "/etc/tls"}
    content = load(TLS, certificates)
    assert valid(content) == ["proxy", "api-server"]
    (network,) = content["networks"]["proxy"]["ipam"]["config"]
    believed = content["services"]["api-server"]["environment"]["FORWARDED_ALLOW_IPS"]
    assert believed == network["subnet"]
    assert content["services"]["proxy"]["networks"] == ["proxy"]
    assert content["services"]["api-server"]["environment"]["AIRFLOW__FAB__COOKIE_SECURE"] == "True"
    with pytest.raises(Missing, match="JOULEBOARD_CERTIFICATES"):
        load(TLS, {})
    alone = compose["services"]["api-server"]
    assert "--proxy-headers" in alone["command"] and alone["environment"]["FORWARDED_ALLOW_IPS"] == ""


def test_nothing_grows_without_a_limit_and_records_name_the_machine(compose: dict[str, Any]) -> None:
    services = compose["services"] | {
        "proxy": load(TLS, {"JOULEBOARD_CERTIFICATES": "/"})["services"]["proxy"]
    }
    for name, service in services.items():
        assert set(service["logging"]["options"]) == {"max-size", "max-file"}, name
        assert service["mem_limit"], name
        if name not in ("postgres", "proxy"):
            assert service["uts"] == "host", name
            assert service["cap_drop"] == ["ALL"], name


def test_images_are_pinned_and_each_is_built_once(compose: dict[str, Any]) -> None:
    files = (MAIN, GPU_HOST, TLS)
    bases = {text for file in files for text in re.findall(r"_IMAGE:-([^}]+)\}", file.read_text())}
    (argument,) = re.findall(r"^ARG BASE_IMAGE=(.+)$", (REPOSITORY / "Dockerfile").read_text(), re.MULTILINE)
    assert argument in bases and {name.partition(":")[0] for name in bases} == {"python", "postgres", "nginx"}
    assert [name for name in bases if not re.fullmatch(r"[a-z]+:\d+\.\d+(\.\d+)?-[a-z-]+", name)] == []
    built = [service["image"] for service in compose["services"].values() if "build" in service]
    assert sorted(built) == ["jouleboard-worker:dev", "jouleboard:dev"]
    assert {service["image"] for name, service in compose["services"].items() if name in COMPONENTS} <= {
        *built
    }


def test_a_health_check_loads_no_airflow(compose: dict[str, Any]) -> None:
    for name in COMPONENTS:
        kind, program, *arguments = compose["services"][name]["healthcheck"]["test"]
        assert kind == "CMD"
        if program != "curl":
            assert program == "python"
            assert (REPOSITORY / arguments[0]).is_file()
            assert "airflow" not in re.findall(
                r"^(?:from|import) (\w+)", (REPOSITORY / arguments[0]).read_text()
            )


def test_git_and_the_image_leave_out_what_is_secret() -> None:
    names = (".env", "jouleboard.env", "worker.env")
    for name in names:
        ignored = subprocess.run(["git", "check-ignore", "--quiet", name], cwd=REPOSITORY, check=False)
        assert ignored.returncode == 0, name
    rules = (REPOSITORY / ".dockerignore").read_text().split("\n")
    allowed = {rule[1:] for rule in rules if rule.startswith("!")}
    assert "*" in rules
    copied = re.findall(r"^COPY (.+) \S+$", (REPOSITORY / "Dockerfile").read_text(), re.MULTILINE)
    assert {part for parts in copied for part in parts.split()} == allowed


def test_a_variable_that_no_file_names_reaches_every_component(compose: dict[str, Any]) -> None:
    for name in COMPONENTS:
        assert compose["services"][name]["env_file"] == [{"path": "jouleboard.env", "required": False}]
    (passed,) = compose["services"]["gpu-worker"]["env_file"]
    assert passed["path"] == "worker.env"  # never the control plane's


def test_no_argument_of_the_build_becomes_a_setting() -> None:
    assert image_variables()["JOULEBOARD_GIT_COMMIT"] == ""


@pytest.mark.parametrize(("file", "secrets"), [(MAIN, SECRETS), (GPU_HOST, {"JOULEBOARD_WORKER_SECRET"})])
def test_every_secret_is_required(file: Path, secrets: set[str]) -> None:
    variables = re.findall(r"\$\{([A-Z_]+)(:[?-])?", file.read_text())
    required = {name for name, rule in variables if rule == ":?"}
    assert required <= secrets
    assert {name for name, rule in variables if rule != ":?"}.isdisjoint(SECRETS)
    for name in secrets:
        with pytest.raises(Missing, match=name):
            load(file, {other: value for other, value in GIVEN.items() if other != name})


def test_the_example_lists_every_secret_without_a_value() -> None:
    example = (REPOSITORY / ".env.example").read_text()
    assert {name for name in SECRETS if f"\n{name}=\n" in example} == SECRETS


def test_components_wait_for_the_database_and_report_health(compose: dict[str, Any]) -> None:
    services = compose["services"]
    assert set(services) >= COMPONENTS
    for name in COMPONENTS:
        assert services[name]["depends_on"]["init"] == {"condition": "service_completed_successfully"}
        assert services[name]["healthcheck"]["test"]
    assert services["postgres"]["healthcheck"]["test"]


def test_measuring_is_opt_in_gets_the_gpus_and_knows_nothing_of_the_database(compose: dict[str, Any]) -> None:
    worker = compose["services"]["gpu-worker"]
    assert worker["profiles"] == ["gpu"]
    (device,) = worker["deploy"]["resources"]["reservations"]["devices"]
    assert (device["driver"], device["capabilities"]) == ("nvidia", ["gpu"])
    given = {value for value in worker["environment"].values() if value}
    kept = {GIVEN[name] for name in SECRETS - {"JOULEBOARD_WORKER_SECRET"}}
    assert not [value for value in given if any(secret in value for secret in kept) or "postgres" in value]
    assert "state:/var/lib/jouleboard" not in worker["volumes"]


def test_what_was_measured_and_published_outlives_the_containers(compose: dict[str, Any]) -> None:
    for name in COMPONENTS:
        folders = {volume.partition(":")[2] for volume in compose["services"][name]["volumes"]}
        assert {"/var/lib/jouleboard/raw", "/var/lib/jouleboard/published"} <= folders
    named = {volume.partition(":")[0] for s in compose["services"].values() for volume in s["volumes"]}
    assert named == set(compose["volumes"])


def test_the_ui_listens_on_this_machine_only_unless_told_otherwise(compose: dict[str, Any]) -> None:
    raw = yaml.safe_load(MAIN.read_text())
    published = [port for service in raw["services"].values() for port in service.get("ports", ())]
    assert published == ["${JOULEBOARD_BIND:-127.0.0.1}:${JOULEBOARD_PORT:-8080}:8080"]


@pytest.mark.skipif(
    shutil.which("docker") is None
    or subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode != 0,
    reason="no docker compose client here",
)
def test_docker_accepts_the_file_and_refuses_it_without_secrets() -> None:
    command = ["docker", "compose", "--file", str(MAIN), "config", "--quiet"]
    client = {name: os.environ[name] for name in ("DOCKER_CONFIG",) if name in os.environ}
    variables = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")} | client
    given = variables | dict.fromkeys(SECRETS, "x")
    assert subprocess.run(command, env=given, timeout=60, check=False).returncode == 0
    assert subprocess.run(command, env=variables, timeout=60, check=False).returncode != 0
