"""The explorer as it is written: rows, first view, sizes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import duckdb
import pytest

from benchmark_tasks import catalog
from expectations.board import explorer, libraries
from expectations.board.explorer.first_view import first_view, frontier, least_per_model
from expectations.board.explorer.labels import Place, place_labels
from expectations.board.packed import pack_column
from tests.expectations.board.marts import HOSTILE, contract, write_leaderboard

MANIFEST = {
    "summary": {
        "publication_number": 7,
        "published_at": "2026-11-28T10:00:00+00:00",
        "git_commit": "abc",
        "gate_verdict": "passed",
        "note": "",
    },
}
REST: dict[str, Any] = {
    "model_pages": {"some/model-0-lm-arena-chat": "models/some-model-0-lm-arena-chat.html"},
    "is_whole": False,
    "links": [("index.html", "Explorer")],
    "readings": [],
    "warned": [],
    "runs": {"accepted": 1, "quarantined": 0},
    "marts": {},
    "history": [],
    "quarantine": {"header": [], "rows": []},
    "has_docs": False,
}


def page_over(database: Path) -> str:
    with duckdb.connect(str(database), read_only=True) as connection:
        return explorer.render_explorer(connection, MANIFEST, catalog.load(), **REST)


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("explorer") / "leaderboard.duckdb"
    write_leaderboard(path)
    return path


@pytest.fixture(scope="module")
def text(database: Path) -> str:
    return page_over(database)


def data_of(text: str, name: str) -> Any:
    (data,) = re.findall(rf'id="{name}">(.*?)</script>', text)
    return json.loads(data)


@pytest.mark.parametrize(
    ("values", "form"),
    [
        ([1, 2, 3], [1, 2, 3]),
        (["same"] * 5, {"all": "same"}),
        ([None] * 3, {"all": None}),
        (["long text", "other text"] * 3, {"values": ["long text", "other text"], "rows": [0, 1] * 3}),
        (
            ["long text"] * 9 + ["other text"] * 9,
            {"values": ["long text", "other text"], "runs": [[0, 9], [1, 9]]},
        ),
        ([None] * 9 + [2.5] + [None] * 8, {"values": [2.5], "at": [9]}),
        (["00ff" * 8, "0abc" * 8], {"hex": 32, "base64": "AP8A/wD/AP8A/wD/AP8A/wq8CrwKvAq8CrwKvAq8Crw="}),
    ],
)
def test_a_column_has_its_shortest_form(values: list[Any], form: Any) -> None:
    assert pack_column(values) == form


def test_the_page_has_every_column_of_the_mart_with_its_definition(text: str) -> None:
    meta, rows = data_of(text, "meta-data"), data_of(text, "leaderboard-data")
    assert {column["key"] for column in meta["columns"]} >= set(contract())
    assert set(rows["lm-arena-chat"]["columns"]) >= set(contract())
    (energy,) = [column for column in meta["columns"] if column["key"] == "energy_per_output_joules"]
    assert energy["definition"] == "Energy per output, J: <b>measured</b>."


def test_the_first_view_is_each_models_least_energy(database: Path, text: str) -> None:
    with duckdb.connect(str(database), read_only=True) as connection:
        wanted = connection.execute(
            "select arg_min(gpu_model || num_gpus || batch_size, energy_per_output_joules)"
            " from marts.leaderboard where task = 'lm-arena-chat' and weights <> 'dummy' group by model_id"
            " order by min(energy_per_output_joules)"
        ).fetchall()
    shown = re.findall(r"<td>(\d)\u00d7 (\w+)</td><td class=\"number\">(\d+)</td>", text)
    assert [gpu + gpus + batch for gpus, gpu, batch in shown] == [row for (row,) in wanted]
    svg = text[text.index("<svg") : text.index("</svg>")]
    assert "Model 0 of lm-arena-chat" in svg
    assert "var(--gpu-b200)" in svg


def test_hostile_text_stays_text(text: str) -> None:
    assert HOSTILE not in text
    assert "<img" not in text
    assert text.count("<script") == 5
    assert text.count("</script>") == 5


def test_the_frontier_leaves_out_what_is_beaten_on_one_axis_and_equal_on_the_other() -> None:
    def row(name: str, latency: float, joules: float) -> dict[str, Any]:
        return {"leaderboard_id": name, "ms": latency, "energy_per_output_joules": joules}

    rows = [row("a", 1, 5), row("b", 1, 6), row("c", 2, 5), row("d", 2, 3), row("e", 2, 3), row("f", 3, 4)]
    assert [one["leaderboard_id"] for one in frontier(rows, "ms")] == ["a", "d", "e"]


def a_row(name: str, joules: float, **other: Any) -> dict[str, Any]:
    """A row of a model on one GPU, of real weights, as far as the choice of each model's row reads it."""
    row = {"leaderboard_id": name, "model_id": "m", "num_gpus": 1, "energy_per_output_joules": joules}
    return row | {"batch_size": 1, "weights_order": 0, "generation_order": 0} | other


def test_runs_without_a_gpu_stay_off_the_board_where_there_are_others() -> None:
    def row(model: str, gpus: int, joules: float) -> dict[str, Any]:
        return a_row(f"{model}{gpus}", joules, model_id=model, num_gpus=gpus)

    least = least_per_model([row("m", 0, 1.0), row("m", 1, 2.0), row("n", 0, 3.0)])
    assert [one["leaderboard_id"] for one in least] == ["m1"]
    assert [one["leaderboard_id"] for one in least_per_model([row("n", 0, 3.0)])] == ["n0"]


def test_labels_do_not_overlap() -> None:
    places = [Place(100, 100 + 3 * number, f"Model {number}") for number in range(4)]
    labels = place_labels(places, 400)
    assert len({(dx, dy, align) for dx, dy, align in labels}) == 4
    assert place_labels([Place(395, 50, "A long name")], 400)[0][2] == "right"


def test_nothing_is_drawn_of_nothing() -> None:
    view = first_view({}, [("gpqa", "Problem Solving")])
    assert (view.task, view.rows, view.svg) == (None, (), None)


def test_an_empty_leaderboard_says_so(tmp_path: Path) -> None:
    write_leaderboard(tmp_path / "empty.duckdb")
    with duckdb.connect(str(tmp_path / "empty.duckdb")) as connection:
        connection.execute("delete from marts.leaderboard")
    assert "nothing has been measured or imported" in page_over(tmp_path / "empty.duckdb")


def test_two_thousand_rows_and_the_libraries_fit_the_budget(tmp_path: Path) -> None:
    write_leaderboard(tmp_path / "many.duckdb", rows=2000, source="mlenergy-v3")
    page = len(page_over(tmp_path / "many.duckdb").encode())
    assert page <= 500_000
    assert page + len(libraries.libraries().encode()) <= 1_500_000


def test_dummy_weights_do_not_win_over_weights_that_are_nearer_to_trained_ones() -> None:
    def row(model: str, weights: str | None, joules: float) -> dict[str, Any]:
        order = {"real": 0, "stand-in.1": 1}.get(weights or "", 2)
        return a_row(f"{model} {weights}", joules, model_id=model, weights_order=order)

    rows = [row("m", "dummy", 1.0), row("m", "stand-in.1", 3.0), row("n", "random", 2.0), row("n", None, 2.5)]
    least = least_per_model(rows)
    assert [one["leaderboard_id"] for one in least] == ["n random", "m stand-in.1"]
    least = least_per_model([*rows, row("m", "real", 4.0)])
    assert [one["leaderboard_id"] for one in least] == ["n random", "m real"]


def test_a_small_picture_does_not_win_over_the_usual_one() -> None:
    small = a_row("512x512", 1.0, generation_order=1)
    usual = [
        a_row(name, joules, weights_order=1)
        for name, joules in (("1024x1024", 4.0), ("1024x1024, batch 4", 3.0))
    ]
    (least,) = least_per_model([small, *usual])
    assert least["leaderboard_id"] == "1024x1024, batch 4"
    assert least_per_model([small]) == [small]
    prescribed = a_row("drafts", 0.5, generation_order=2)
    assert least_per_model([prescribed, small]) == [small]
    assert least_per_model([prescribed]) == []
