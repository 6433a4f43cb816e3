"""Importing published results: what is landed, what is refused and how, what survives."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError
from typer.testing import CliRunner

from benchmark_tasks.cli.imports import app
from benchmark_tasks.errors import DiskFull, ImportRefused
from benchmark_tasks.imports import mlenergy
from benchmark_tasks.imports.leaderboard import KNOWN_REPLICATES
from benchmark_tasks.imports.rows import LanguageRow
from benchmark_tasks.imports.tables import SCHEMAS
from benchmark_tasks.settings import Settings
from benchmark_tasks.testing.leaderboard import language_row, tasks, write_leaderboard
from tests.disks import small_file_system

QWEN = "Qwen/Qwen3-8B"
TASK_FILE = "tasks/gpqa.json"
MODEL_FILE = "models/Qwen__Qwen3-8B__gpqa.json"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_leaderboard(tmp_path / "published")


def snapshot(root: Path) -> dict[str, tuple[int, int]]:
    return {
        str(path.relative_to(root)): (path.lstat().st_ino, path.lstat().st_mtime_ns)
        for path in sorted(root.rglob("*"))
        if ".incoming" not in path.parts
    }


def edit(path: Path, change: object) -> None:
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def test_rows_land_under_a_folder_named_by_their_content(settings: Settings, source: Path) -> None:
    result = mlenergy.import_results(str(source), settings, note="first")

    assert (result.changed, result.configurations, result.models, result.tasks) == (True, 6, 3, 2)
    assert mlenergy.current(settings) == result.directory
    for name, schema in SCHEMAS.items():
        assert pq.read_schema(result.directory / f"{name}.parquet").equals(schema)
    manifest = json.loads((result.directory / "import.json").read_text())
    assert manifest["note"] == "first"
    assert manifest["content_hash"] == result.directory.name


def test_importing_twice_changes_nothing(settings: Settings, source: Path) -> None:
    mlenergy.import_results(str(source), settings)
    before = snapshot(settings.imports)
    again = mlenergy.import_results(str(source), settings)

    assert not again.changed
    assert snapshot(settings.imports) == before


def test_a_damaged_import_is_replaced(settings: Settings, source: Path) -> None:
    first = mlenergy.import_results(str(source), settings)
    (first.directory / "mlenergy_models.parquet").write_bytes(b"PAR1")

    assert mlenergy.import_results(str(source), settings).changed
    assert pq.read_table(first.directory / "mlenergy_models.parquet").num_rows == 3


def test_known_replicates_are_kept_in_the_published_order(settings: Settings, source: Path) -> None:
    folder = mlenergy.import_results(str(source), settings).directory
    rows = duckdb.sql(
        f"select replicate, completed_requests, p99_itl_ms, count(*) over (partition by configuration_id)"
        f" from '{folder}/mlenergy_configurations.parquet' where batch_size = 96 order by replicate"
    ).fetchall()

    assert rows == [(1, 198, 20.0, 2), (2, 396, 21.0, 2)]


def test_values_are_those_of_the_files(settings: Settings, source: Path) -> None:
    folder = mlenergy.import_results(str(source), settings).directory
    row = duckdb.sql(
        f"select energy_per_token_joules, output_throughput_tokens_per_sec, energy_per_image_joules,"
        f" architecture, published_on::varchar"
        f" from '{folder}/mlenergy_configurations.parquet' where batch_size = 16"
    ).fetchone()

    assert row == (500 / 1600, 1600.0, None, "llm", "2026-02-16")


def nan(name: str) -> object:
    def change(content: dict) -> None:
        content["configurations"][1][name] = float("nan")

    return change


def value(name: str, new: object) -> object:
    def change(content: dict) -> None:
        content["configurations"][1][name] = new

    return change


def repeated(content: dict) -> None:
    content["configurations"].insert(1, dict(content["configurations"][0], p99_itl_ms=33.0))


SPOILED = {
    "NaN": (TASK_FILE, nan("energy_per_token_joules"), "row 1 .*energy_per_token_joules: .*finite"),
    "infinity": (TASK_FILE, value("p99_itl_ms", float("inf")), "row 1 .*p99_itl_ms: .*finite"),
    "negative energy": (TASK_FILE, value("energy_per_token_joules", -0.1), "row 1 .*greater than 0"),
    "null": (TASK_FILE, value("avg_output_len", None), "row 1 .*avg_output_len: .*valid number"),
    "number as text": (TASK_FILE, value("avg_power_watts", "500"), "row 1 .*avg_power_watts: .*number"),
    "unknown precision": (TASK_FILE, value("weight_precision", "fp3"), "row 1 .*weight_precision"),
    "unknown GPU": (TASK_FILE, value("gpu_model", "Z9"), "row 1 .*gpu_model: 'Z9' is not in the GPU"),
    "unknown field": (TASK_FILE, value("surprise", 1), "row 1 .*surprise: Extra"),
    "missing field": (TASK_FILE, lambda c: c["configurations"][1].pop("num_gpus"), "num_gpus: .*required"),
    "broken identity": (
        TASK_FILE,
        value("energy_per_request_joules", 100.0),
        "row 1 .*energy_per_request_joules: 100 is not energy_per_token_joules x avg_output_len",
    ),
    "more than TDP": (TASK_FILE, value("avg_power_watts", 701.0), "row 1 .*outside 200..700"),
    "quantiles": (TASK_FILE, value("p95_itl_ms", 11.0), "row 1 .*quantiles are not in rising order"),
    "batch not filled": (TASK_FILE, value("avg_batch_size", 12.0), "row 1 .*0.750 of max_num_seqs"),
    "degrees": (TASK_FILE, value("tensor_parallel", 2), "row 1 .*num_gpus: not max"),
    "unknown model": (TASK_FILE, value("model_id", "no/such"), "row 1 .*not among the models"),
    "model fields": (TASK_FILE, value("nickname", "Other"), "row 1 .*nickname: 'Other' here"),
    "row gone": (TASK_FILE, lambda c: c["configurations"].pop(1), "2 configurations, tasks/gpqa.json has 1"),
    "wrong task": (TASK_FILE, lambda c: c.update(task="gpqa2"), "task: says 'gpqa2'"),
    "unknown task": ("index.json", lambda c: c["tasks"].append("poetry"), "unknown task 'poetry'"),
    "unlisted model": ("index.json", lambda c: c["models"].pop(QWEN), "row 0 .*not among the models"),
    "no date": ("index.json", lambda c: c.update(last_updated="soon"), "'soon' is not a date"),
    "date in another form": (
        "index.json",
        lambda c: c.update(last_updated="20260216"),
        "'20260216' is not a date",
    ),
    "date by week": (
        "index.json",
        lambda c: c.update(last_updated="2026-W07-1"),
        "'2026-W07-1' is not a date",
    ),
    "old date": ("index.json", lambda c: c.update(last_updated="0001-01-01"), "last_updated: '0001-01-01'"),
    "future date": (
        "index.json",
        lambda c: c.update(last_updated=f"{datetime.now(UTC) + timedelta(days=3):%F}"),
        "last_updated: .* in the future",
    ),
    "terminal escape": (
        "index.json",
        lambda c: c["models"][QWEN].update(nickname="Q\x1b[31m"),
        r"index.json: models.Qwen/Qwen3-8B.nickname: .*control characters.*'Q\\x1b\[31m'",
    ),
    "NUL": (TASK_FILE, value("gpu_model", "H\0"), r"gpqa.json: configurations.1.gpu_model: .*'H\\x00'"),
    "half a surrogate pair": (
        TASK_FILE,
        value("nickname", "\ud800"),
        r"configurations.1.nickname: .*'\\ud800'",
    ),
    "line break in a name": (
        "index.json",
        lambda c: c["models"].update({"a/b\nc": c["models"][QWEN]}),
        r"index.json: models: .*'a/b\\nc'",
    ),
    "files differ": (MODEL_FILE, value("median_itl_ms", 9.0), "median_itl_ms: 9.0 here, 10.0 in the task"),
    "histogram gone": (
        MODEL_FILE,
        lambda c: c["configurations"][1].pop("output_length_distribution"),
        "output_length_distribution",
    ),
    "histogram off": (
        MODEL_FILE,
        value("output_length_distribution", {"bins": [0.0, 1.0, 2.0], "counts": [1, 1]}),
        "mean 1 tokens against avg_output_len 500",
    ),
}


@pytest.mark.parametrize("case", SPOILED)
def test_spoiled_files_are_refused_by_name_and_the_last_import_stays(
    case: str, settings: Settings, source: Path
) -> None:
    mlenergy.import_results(str(source), settings)
    before = snapshot(settings.imports)
    path, change, message = SPOILED[case]
    edit(source / path, change)

    with pytest.raises(ImportRefused, match=message) as refused:
        mlenergy.import_results(str(source), settings)

    assert str(source) in str(refused.value)
    assert "\n" not in str(refused.value)
    assert snapshot(settings.imports) == before
    assert list((settings.imports / "mlenergy-v3/.incoming").iterdir()) == []


def test_the_date_may_be_that_of_a_time_zone_ahead(settings: Settings, source: Path) -> None:
    tomorrow = f"{datetime.now(UTC) + timedelta(days=1):%F}"
    edit(source / "index.json", lambda c: c.update(last_updated=tomorrow))
    assert mlenergy.import_results(str(source), settings).changed


@pytest.mark.parametrize("text", ["Q\x1b[31m", "Q\0", "Q\n", "Q\x85", "Q\u2028", "Q\ud800"])
def test_no_text_of_a_row_has_control_characters(text: str) -> None:
    fields = language_row(QWEN, 8)
    LanguageRow.model_validate(fields)
    for name in ("model_id", "nickname", "gpu_model"):
        with pytest.raises(ValidationError, match=name):
            LanguageRow.model_validate(fields | {name: text if name != "model_id" else f"a/{text}"})


@pytest.mark.parametrize("path", ["index.json", TASK_FILE, MODEL_FILE])
def test_truncated_and_missing_files_are_refused(path: str, settings: Settings, source: Path) -> None:
    content = (source / path).read_bytes()
    (source / path).write_bytes(content[: len(content) // 2])
    with pytest.raises(ImportRefused, match=f"{path}: truncated or not JSON"):
        mlenergy.import_results(str(source), settings)

    (source / path).unlink()
    with pytest.raises(ImportRefused, match=f"{path}: No such file"):
        mlenergy.import_results(str(source), settings)
    assert mlenergy.current(settings) is None


@pytest.mark.parametrize("changes", [{}, {"p99_itl_ms": 33.0}], ids=["same values", "other values"])
def test_a_configuration_twice_is_refused(changes: dict, settings: Settings, tmp_path: Path) -> None:
    rows = tasks()
    rows["gpqa"].insert(1, language_row(QWEN, 8, **changes))
    source = write_leaderboard(tmp_path / "twice", rows)

    with pytest.raises(
        ImportRefused, match=r"row 1 .*the same configuration as row 0, with (the same|different)"
    ):
        mlenergy.import_results(str(source), settings)


def test_a_known_replicate_three_times_is_refused(settings: Settings, tmp_path: Path) -> None:
    rows = tasks()
    rows["gpqa"].append(language_row("openai/gpt-oss-20b", 96, p99_itl_ms=22.0))
    source = write_leaderboard(tmp_path / "thrice", rows)

    with pytest.raises(ImportRefused, match=r"row 4 .*the same configuration as row 2"):
        mlenergy.import_results(str(source), settings)


def test_an_address_serves_as_well_as_a_folder(settings: Settings, source: Path) -> None:
    from_folder = mlenergy.import_results(str(source), settings)
    handler = partial(SimpleHTTPRequestHandler, directory=str(source))
    handler.log_message = lambda *_: None  # type: ignore[attr-defined]
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        assert mlenergy.import_results(url, settings).directory == from_folder.directory
        with pytest.raises(ImportRefused, match="answered 404; check the address"):
            mlenergy.import_results(f"{url}/elsewhere", settings)
        server.shutdown()
    with pytest.raises(ImportRefused, match=r"not fetched .*check the address"):
        mlenergy.import_results(url, settings)


class Signed(SimpleHTTPRequestHandler):
    """Serves files to those who have the token only."""

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        self.path = path
        if query == "token=s3cret&expires=9":
            super().do_GET()
        else:
            self.send_error(403)

    def log_message(self, *arguments: object) -> None:
        """Quiet."""


@pytest.mark.parametrize("end", ["/data", "/data/"])
def test_a_signed_address_keeps_its_signature_and_tells_it_nobody(
    settings: Settings, source: Path, end: str
) -> None:
    (source.parent / "served").mkdir()
    (source.parent / "served" / "data").symlink_to(source)
    handler = partial(Signed, directory=str(source.parent / "served"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}{end}?token=s3cret&expires=9"
        imported = mlenergy.import_results(url, settings)
        with pytest.raises(ImportRefused, match="answered 403") as refused:
            mlenergy.import_results(url.replace("expires=9", "expires=8"), settings)
        server.shutdown()
    with pytest.raises(ImportRefused, match="not fetched") as gone:
        mlenergy.import_results(url, settings)
    assert "s3cret" not in f"{refused.value} {gone.value} {(imported.directory / 'import.json').read_text()}"


@pytest.mark.parametrize(
    "url", ["http://[", "https://a b/%", "HTTP://127.0.0.1:1/x", "http://", "http://:99999/"]
)
def test_an_address_that_is_none_is_one_line(settings: Settings, url: str) -> None:
    with pytest.raises(ImportRefused) as refused:
        mlenergy.import_results(url, settings)
    assert "\n" not in str(refused.value)


def test_without_a_source_the_public_address_is_read(
    settings: Settings, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    handler = partial(SimpleHTTPRequestHandler, directory=str(source))
    handler.log_message = lambda *_: None  # type: ignore[attr-defined]
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setattr(mlenergy, "PUBLIC_ADDRESS", f"http://127.0.0.1:{server.server_port}")
        imported = mlenergy.import_results(None, settings)
        server.shutdown()
    assert imported.directory == mlenergy.import_results(str(source), settings).directory
    with pytest.raises(ImportRefused, match=r"not fetched .*network, or give a folder$"):
        mlenergy.import_results(None, settings)


def test_a_killed_import_leaves_the_last_one_and_is_cleared_away(settings: Settings, source: Path) -> None:
    first = mlenergy.import_results(str(source), settings)
    edit(source / "index.json", lambda c: c.update(last_updated="2026-02-17"))
    stalled, go_on = threading.Event(), threading.Event()

    class Stalling(SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path.endswith("text-to-image.json"):
                stalled.set()
                go_on.wait(60)
            super().do_GET()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Stalling, directory=str(source))) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        process = subprocess.Popen(
            [
                sys.executable,
                "-c",
                "from benchmark_tasks.cli.imports import app; app()",
                "mlenergy",
                f"http://127.0.0.1:{server.server_port}",
            ],
            env=os.environ | {"JOULEBOARD_HOME": str(settings.home)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        assert stalled.wait(60)
        process.kill()
        process.wait(10)
        go_on.set()
        server.shutdown()
    incoming = settings.imports / "mlenergy-v3/.incoming"
    assert len(list(incoming.iterdir())) == 1
    assert mlenergy.current(settings) == first.directory

    again = mlenergy.import_results(str(source), settings)
    assert again.changed
    assert mlenergy.current(settings) == again.directory != first.directory
    assert list(incoming.iterdir()) == []


def test_a_model_id_cannot_leave_the_folder(settings: Settings, source: Path) -> None:
    edit(source / TASK_FILE, lambda c: c["configurations"][0].update(model_id="../../etc/passwd"))
    with pytest.raises(ImportRefused, match="model_id"):
        mlenergy.import_results(str(source), settings)


def test_inputs_exist_with_the_same_columns_before_any_import(settings: Settings, tmp_path: Path) -> None:
    mlenergy.write_inputs(settings, tmp_path)
    for name, schema in SCHEMAS.items():
        table = pq.read_table(tmp_path / f"{name}.parquet")
        assert (table.num_rows, table.schema) == (0, schema)


def test_inputs_are_the_current_import(settings: Settings, source: Path, tmp_path: Path) -> None:
    mlenergy.import_results(str(source), settings)
    mlenergy.write_inputs(settings, tmp_path)
    assert pq.read_table(tmp_path / "mlenergy_configurations.parquet").num_rows == 6


def test_a_full_disk_keeps_the_last_import(settings: Settings, source: Path, tmp_path: Path) -> None:
    with small_file_system(tmp_path / "home/imports", "size=64k") as mount:
        first = mlenergy.import_results(str(source), settings)
        (mount / "filler").write_bytes(bytes(_free_bytes(mount)))
        edit(source / "index.json", lambda c: c.update(last_updated="2026-02-17"))
        with pytest.raises(DiskFull):
            mlenergy.import_results(str(source), settings)
        assert mlenergy.current(settings) == first.directory
        assert pq.read_table(first.directory / "mlenergy_configurations.parquet").num_rows == 6


def _free_bytes(path: Path) -> int:
    status = os.statvfs(path)
    return status.f_bavail * status.f_frsize


def test_raw_results_without_their_package_say_what_to_do(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "mlenergy.data.records", None)
    raw = tmp_path / "raw"
    shutil.copytree(write_leaderboard(tmp_path / "x") / "tasks", raw / "llm")
    with pytest.raises(ImportRefused, match="pip install mlenergy-data"):
        mlenergy.import_results(str(raw), settings)


def test_the_command_prints_one_line(source: Path, tmp_path: Path) -> None:
    runner = CliRunner(env={"JOULEBOARD_HOME": str(tmp_path / "home")})
    assert (
        "imported 6 configurations, 3 models, 2 tasks" in runner.invoke(app, ["mlenergy", str(source)]).output
    )
    assert "unchanged: 6 configurations" in runner.invoke(app, ["mlenergy", str(source)]).output
    as_json = runner.invoke(app, ["mlenergy", str(source), "--json"])
    assert json.loads(as_json.output)["changed"] is False


def test_the_published_data_imports_whole(settings: Settings, published_v3: Path) -> None:
    result = mlenergy.import_results(str(published_v3), settings)

    assert (result.configurations, result.models, result.tasks) == (1858, 46, 7)
    table = f"'{result.directory}/mlenergy_configurations.parquet'"
    assert duckdb.sql(f"select count(distinct configuration_id) from {table}").fetchone() == (1855,)
    assert duckdb.sql(f"select count(*) from {table} where replicate = 2").fetchone() == (
        len(KNOWN_REPLICATES),
    )
