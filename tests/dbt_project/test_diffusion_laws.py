"""The marts of steps, pixels and frames, built from runs whose joules are a known law of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from benchmark_tasks import catalog
from benchmark_tasks.errors import SettingsError
from expectations.board.addresses import navigation
from expectations.board.operations.surface_pages import images
from expectations.gate.auditor import Auditor
from expectations.laws import Law, Point
from expectations.laws.answer import BEST, MEASURED_ROWS, NEAREST, Answers, answers, setups
from expectations.pages import render_page
from expectations.pages.numbers import exact_per_cent, number
from expectations.sql import rows_of
from expectations.suites.mart import audit_marts, law_checks
from tests.dbt_project.conftest import Warehouse
from tests.dbt_project.designed import MEDIUM
from tests.dbt_project.test_model_pages import browser, violations
from tests.dbt_project.test_operations_pages import screen
from tests.e2e.browser import Browser
from tests.expectations.laws import known
from tests.expectations.laws.known import CORNERS, GRID

__all__ = ["browser"]


@pytest.fixture(scope="module")
def marts(designed_warehouse: Warehouse) -> Iterator[duckdb.DuckDBPyConnection]:
    with designed_warehouse.connect() as connection:
        yield connection


def rows(marts: duckdb.DuckDBPyConnection, query: str) -> list[dict[str, Any]]:
    result = marts.execute(query)
    names = [column[0] for column in result.description or ()]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def best(marts: duckdb.DuckDBPyConnection, task: str) -> dict[str, dict[str, Any]]:
    found = rows(marts, f"from marts.diffusion_energy_law where is_best and task = '{task}'")
    return {row["term"]: row for row in found}


def test_the_law_of_images_comes_back_from_their_energy(marts: duckdb.DuckDBPyConnection) -> None:
    """One point was measured twice, 0 and 2 % up: 1 % over both, so the terms move by less."""
    found = best(marts, "text-to-image")
    assert {row["law"] for row in found.values()} == {Law.FIXED_POWER}
    for term, value in (
        ("fixed", known.FIXED),
        ("steps_exponent", known.STEPS_EXPONENT),
        ("pixels_exponent", known.PIXELS_EXPONENT),
    ):
        assert found[term]["term_value"] == pytest.approx(value, rel=0.03)
        assert found[term]["term_low"] <= value <= found[term]["term_high"]
    assert "frames_exponent" not in found
    row = found["fixed"]
    assert (row["points"], row["runs"], row["tested_points"]) == (16, 17, 16)
    assert 0 < row["held_out_median_error"] < row["held_out_largest_error"] < 0.02
    assert (row["fewest_steps"], row["most_steps"]) == (10, 50)
    assert (row["fewest_pixels"], row["most_pixels"]) == (512**2, 1536**2)
    assert (row["fewest_frames"], row["most_frames"]) == (1, 1)
    assert row["basis"] == "a model fitted to measurements" and row["gpu_uuids"] == "GPU-sample"


def test_the_law_of_videos_comes_back_from_their_energy(marts: duckdb.DuckDBPyConnection) -> None:
    found = best(marts, "text-to-video")
    assert {row["law"] for row in found.values()} == {Law.WORK}
    values = {term: row["term_value"] for term, row in found.items()}
    assert values == pytest.approx(
        {
            "fixed": known.FIXED,
            "decoded": known.DECODED,
            "step": known.STEP,
            "step_linear": known.LINEAR,
            "step_quadratic": known.QUADRATIC,
        },
        rel=1e-3,
    )
    assert {(row["fewest_frames"], row["most_frames"]) for row in found.values()} == {(17, 81)}
    assert {row["output_unit"] for row in found.values()} == {"video"}


def test_a_law_that_misses_points_is_not_published_and_its_proof_is(
    marts: duckdb.DuckDBPyConnection,
) -> None:
    assert rows(marts, "from marts.diffusion_energy_law where runtime_version = '0.6.0'") == []
    odd = rows(marts, "from marts.diffusion_law_proof where runtime_version = '0.6.0' and law = 'power'")
    assert len(odd) == 16 and max(abs(row["error"]) for row in odd) > 0.1
    assert not any(row["is_proven"] or row["is_best"] for row in odd)


def test_too_few_points_have_a_surface_and_no_law(marts: duckdb.DuckDBPyConnection) -> None:
    assert rows(marts, f"from marts.diffusion_energy_law where model_id = '{MEDIUM}'") == []
    assert rows(marts, f"from marts.diffusion_law_proof where model_id = '{MEDIUM}'") == []
    assert len(rows(marts, f"from marts.diffusion_energy_surface where model_id = '{MEDIUM}'")) == 4
    assert rows(marts, "from marts.diffusion_energy_surface where batch_size = 8") == []


def test_the_surface_is_what_was_measured(marts: duckdb.DuckDBPyConnection) -> None:
    """Twice: the mean, and 12.706 x 0.01 of one to either side. Once: the window's interval."""
    first, second = rows(
        marts,
        "from marts.diffusion_energy_surface where gpu_uuids = 'GPU-sample' and runtime_version = '0.7.0'"
        f" and height = 512 and inference_steps in (10, 20) and model_id <> '{MEDIUM}'"
        " order by inference_steps",
    )
    joules = known.fixed_power(GRID[0])
    assert first["energy_per_output_joules"] == pytest.approx(1.01 * joules)
    assert (first["runs"], first["interval_is_over"], first["pixels"]) == (2, "runs", 512 * 512)
    half = first["energy_per_output_high_joules"] - first["energy_per_output_joules"]
    assert half == pytest.approx(12.7062 * 0.01 * joules, rel=1e-3)
    assert (second["runs"], second["run_ids"].count(",")) == (1, 0)
    assert second["energy_per_output_joules"] == pytest.approx(known.fixed_power(GRID[1]))


def test_the_gate_passes_these_marts(marts: duckdb.DuckDBPyConnection) -> None:
    (path,) = marts.execute("select path from duckdb_databases() where not internal").fetchall()[0]
    names = {check.name for check in law_checks()} - {"key_is_unique"}
    found = audit_marts(Auditor(), Path(path)).findings
    assert [finding for finding in found if finding.check in names or "diffusion" in finding.key] == []


def ask(marts: duckdb.DuckDBPyConnection, **asked: Any) -> Answers:
    known_setups = setups(*(rows_of(marts, path) for path in (BEST, MEASURED_ROWS, NEAREST)))
    return answers(known_setups, gpu="H200", **asked)


def test_a_price_is_measured_where_it_was_and_of_the_law_in_between(marts: duckdb.DuckDBPyConnection) -> None:
    """On the same rows of the marts: one setup has both."""
    image = {"model": "PixArt-alpha/PixArt-Sigma-XL-2-1024-MS", "height": 768, "width": 768, "batch_size": 1}
    (row,) = rows(
        marts,
        "from marts.leaderboard where runtime_version = '0.7.0' and model_id like 'PixArt%'"
        " and inference_steps = 28 and height = 768 and batch_size = 1",
    )
    (found,) = ask(marts, steps=28, **image).answers
    assert (found.basis, found.joules) == ("measured", row["energy_per_output_joules"])
    assert found.row is not None and found.row["leaderboard_id"] == row["leaderboard_id"]
    (between,) = ask(marts, steps=24, **image).answers
    assert between.joules == pytest.approx(known.fixed_power(Point(24, 768 * 768)), rel=0.02)
    assert between.error == best(marts, "text-to-image")["fixed"]["held_out_largest_error"]
    with pytest.raises(SettingsError, match="beyond 10 to 50 steps and"):
        ask(marts, steps=60, **image)
    with pytest.raises(SettingsError, match=r"no law is proven: the nearest \(.* misses one of 16 points"):
        ask(marts, steps=24, version="0.6.0", **image)
    with pytest.raises(SettingsError, match="no law is proven: these points are too few"):
        ask(marts, steps=24, **image | {"model": MEDIUM})


@pytest.fixture(scope="module")
def site(marts: duckdb.DuckDBPyConnection, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_page(tmp_path_factory.mktemp("images"), marts)


def write_page(folder: Path, connection: duckdb.DuckDBPyConnection) -> Path:
    """The page of images and videos, with the names that the catalog has for tasks."""
    tasks = {task.value: entry.display_name for task, entry in catalog.load().tasks.items()}
    shown = {"summary": {"publication_number": 1}, "links": navigation([]), "models": {}, "tasks": tasks}
    text = render_page("board/operations/images.html", **shown, **images(folder, connection))
    (folder / "images.html").write_text(text)
    return folder


def test_the_page_shows_every_point_with_its_proof(marts: duckdb.DuckDBPyConnection, site: Path) -> None:
    text = (site / "images.html").read_text()
    points = rows(marts, "from marts.diffusion_energy_surface")
    assert text.count('<tr><th scope="row">') == len(points) + len(
        rows(marts, "from marts.diffusion_energy_law where is_best")
    )
    for row in points:
        assert f'<td class="number">{number(row["energy_per_output_joules"])}</td>' in text
    for row in rows(marts, "from marts.diffusion_law_proof where is_best"):
        assert f">{number(row['predicted_joules'])}</td>" in text
        assert f">{exact_per_cent(row['error'])}</td><td>yes</td>" in text
    assert text.count("<td>no: another GPU</td>") == len(CORNERS)
    assert text.count("No law: ") == 2, "under 0.6.0, and of the model with four points"


def test_the_caption_has_the_errors_of_the_mart(marts: duckdb.DuckDBPyConnection, site: Path) -> None:
    text = (site / "images.html").read_text()
    for task in ("text-to-image", "text-to-video"):
        row = next(iter(best(marts, task).values()))
        assert (
            f"Asked for each of {row['tested_points']} points after it was fitted without it, it misses by"
            f" at most {100 * row['held_out_largest_error']:.1f} %"
        ) in text
    exponent = best(marts, "text-to-image")["steps_exponent"]["term_value"]
    assert f"its steps to the power {exponent:.2f} (95 % interval " in text


def test_every_figure_is_there_as_svg_png_and_rows(marts: duckdb.DuckDBPyConnection, site: Path) -> None:
    families = rows(marts, "select distinct family_id from marts.diffusion_energy_surface")
    pictures = sorted(path.name for path in (site / "figures").glob("surface-*"))
    assert len(families) == 4 and pictures == sorted(
        f"surface-{row['family_id'][:16]}.{kind}" for row in families for kind in ("svg", "png")
    )
    kept = rows(marts, f"from '{site}/figures/jouleboard-diffusion_energy_surface.csv'")
    measured = rows(marts, "from marts.diffusion_energy_surface")
    assert {row["point_id"] for row in kept} == {row["point_id"] for row in measured}
    assert all("var(--" not in path.read_text() for path in (site / "figures").glob("*.svg"))


def test_names_in_the_page_stay_text(marts: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    hostile = "<script>alert(1)</script><img src=x onerror=alert(2)>&\"'"
    with duckdb.connect() as connection:
        connection.execute("create schema marts")
        for table in ("diffusion_energy_surface", "diffusion_energy_law", "diffusion_law_proof"):
            values = marts.sql(f"from marts.{table}").to_arrow_table()  # noqa: F841  DuckDB reads it by its name
            connection.execute(f"create table marts.{table} as from values")
            connection.execute(f"update marts.{table} set nickname = ?", [hostile])
        text = (write_page(tmp_path, connection) / "images.html").read_text()
    assert "<script>alert" not in text and "<img" not in text and "&lt;script&gt;" in text


def test_the_page_has_no_barrier_and_fits_a_telephone(browser: Browser, site: Path) -> None:
    browser.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark"}])
    with screen(browser, 360):
        assert violations(browser, site / "images.html") == []
        assert browser.evaluate("document.documentElement.scrollWidth <= innerWidth")
        widths = "[...document.querySelectorAll('.curve svg')].map((e) => e.getBoundingClientRect().width)"
        shown = [width for width in browser.evaluate(widths) if width]
        assert len(shown) == 4 and max(shown) <= 320
