"""The read API: live answers, files and marts say the same; the promise of v1 is kept."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urljoin

import duckdb
import jsonschema
import pytest
import uvicorn
from fastapi import FastAPI
from fastapi.testclient import TestClient

from benchmark_tasks.errors import PublicationError
from benchmark_tasks.settings import Settings
from benchmark_tasks.testing.waiting import until
from expectations import api, publications
from expectations.api import promise
from expectations.api.forms import item_form
from expectations.api.promise import PROMISE_FILE, broken, promise_of
from expectations.exports.columns import Column, Mart
from expectations.publications import Publication
from jouleboard_airflow.ui.api import add_api
from jouleboard_airflow.ui.web import build_app
from tests.dbt_project.conftest import Warehouse
from tests.expectations.publishing import write_marts

GUIDE = (Path(__file__).parents[2] / "docs" / "api.md").read_text()
NAMES = [collection.name for collection in api.COLLECTIONS]
COMMON = (
    " 'jouleboard' as data_source, 'Some model' as nickname, 'some/model' as model_id, 'H200' as gpu_model,"
    " '0.26.0' as runtime_version, 'real' as weights"
)
MORE = (
    f"insert into marts.energy_prices by name select {COMMON}, 'p1' as price_id, 'l1' as price_list_id,"
    " 'idle_second' as component, 'measured' as basis, 0.1 + 0.2 as price_joules",
    f"insert into marts.energy_under_load by name select {COMMON}, 'l1' as load_id, 's1' as server_setup_id,"
    " 'c1' as configuration_id, 'k1' as comparability_id, 'lm-arena-chat' as task, 0.0 as request_rate,"
    " 1 as runs, 0 as energy_runs, 'none' as energy_source, true as is_sustained",
)
"""Collections that the warehouse's runs leave empty get an item."""


@pytest.fixture(scope="module")
def settings(warehouse: Warehouse, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A publication of those of the warehouse's marts that the API reads, without pages."""
    folder = tmp_path_factory.mktemp("api")
    settings, candidate = Settings(home=folder / "home"), folder / "candidate.duckdb"
    shutil.copy(warehouse.built.database, candidate)
    with duckdb.connect(str(candidate)) as connection:
        for (name,) in connection.execute("select table_name from duckdb_tables()").fetchall():
            if name not in {each.mart for each in api.COLLECTIONS}:
                connection.execute(f"drop table if exists marts.{name}")
        connection.execute(
            "delete from marts.leaderboard where data_source <> 'jouleboard' and batch_size > 32"
        )
        for statement in MORE:
            connection.execute(statement)
    publish(settings, candidate)
    return settings


def publish(settings: Settings, candidate: Path) -> Publication:
    number = publications.next_number(settings)
    at = "2026-11-29T12:00:00+00:00"
    with publications.publishing(settings):
        folder = publications.incoming_folder(settings, number)
        tables = write_marts(candidate, folder)
        manifest: dict[str, Any] = {name: {} for name in ("runs", "gate")} | {
            "summary": {"publication_number": number, "published_at": at},
            "published_at": at,
            "history": [],
            "tables": tables,
        }
        api.write_api(folder, manifest)
        return publications.publish(settings, number, folder, manifest)


@pytest.fixture(scope="module")
def client(settings: Settings) -> TestClient:
    """The live API, without the login of Airflow."""
    return TestClient(application(settings))


def application(settings: Settings) -> FastAPI:
    app = FastAPI()
    add_api(app, settings)
    return app


@pytest.fixture(scope="module")
def files(settings: Settings) -> Path:
    """The same as files."""
    return settings.published / "current" / "api" / "v1"


def read(files: Path, name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((files / name).read_text())
    return content


def whole(client: TestClient, address: str) -> list[dict[str, Any]]:
    """The items of all pages."""
    found: list[dict[str, Any]] = []
    url: str | None = f"/api/v1/{address}"
    while url:
        answer = client.get(url)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        found += page["data"]
        url = page["next"] and urljoin(url, page["next"])
    assert page["total"] == len(found)
    return found


def of_json(value: Any) -> Any:
    """A value of a mart as JSON has it."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return value.isoformat() if isinstance(value, date) else value


@pytest.mark.parametrize("name", NAMES)
def test_live_answer_file_and_mart_are_the_same(
    name: str, client: TestClient, files: Path, settings: Settings
) -> None:
    collection = next(each for each in api.COLLECTIONS if each.name == name)
    chosen = ", ".join(collection.columns) or "*"
    distinct = "distinct" if collection.columns else ""
    with publications.open_publication(publications.require_current(settings)) as connection:
        result = connection.execute(
            f"select {distinct} {chosen} from {collection.mart} order by {', '.join(collection.key)}"
        )
        names = [column[0] for column in result.description or ()]
        mart = [dict(zip(names, map(of_json, row), strict=True)) for row in result.fetchall()]
    file = read(files, f"{name}.json")
    assert mart
    assert len({tuple(item[column] for column in collection.key) for item in mart}) == len(mart)
    assert file["data"] == mart
    assert whole(client, f"{name}.json?page_size=300") == mart
    first = client.get(f"/api/v1/{name}.json").json()
    assert first.keys() == file.keys()
    assert (
        first["publication"]
        == file["publication"]
        == {
            "number": 1,
            "published_at": "2026-11-29T12:00:00Z",
        }
    )
    assert file["total"] == len(mart) == first["total"] and file["next"] is None


def test_what_is_unknown_is_null_and_never_left_out(client: TestClient, settings: Settings) -> None:
    rows = whole(client, "rows.json?page_size=1000")
    without = [row for row in rows if row["energy_per_output_joules"] is None]
    assert without and {len(row) for row in rows} == {len(rows[0])}
    ids = {row["leaderboard_id"] for row in without}
    with publications.open_publication(publications.require_current(settings)) as connection:
        sql = "select leaderboard_id from leaderboard where energy_per_output_joules is null"
        assert ids == {name for (name,) in connection.execute(sql).fetchall()}


def test_index_and_description_are_the_same_live_and_as_files(client: TestClient, files: Path) -> None:
    for name in ("index.json", "openapi.json"):
        assert client.get(f"/api/v1/{name}").json() == read(files, name)
    index = read(files, "index.json")
    assert [entry["name"] for entry in index["collections"]] == NAMES
    assert {path.name for path in files.iterdir()} == {
        f"{name}.json" for name in (*NAMES, "index", "openapi")
    }


def test_the_files_are_part_of_the_publication(settings: Settings, files: Path) -> None:
    published = publications.require_current(settings)
    listed = {name for name in published.manifest["files"] if name.startswith("api/")}
    assert listed == {f"api/v1/{path.name}" for path in files.iterdir()}
    assert publications.verify(settings, published) == []


@pytest.mark.parametrize("name", [*NAMES, "index"])
def test_answers_have_the_form_that_the_description_gives(name: str, client: TestClient, files: Path) -> None:
    document = read(files, "openapi.json")
    described = document["paths"][f"/v1/{name}.json"]["get"]["responses"]["200"]["content"]
    schema = described["application/json"]["schema"] | {"components": document["components"]}
    validator = jsonschema.Draft202012Validator(schema)
    validator.validate(client.get(f"/api/v1/{name}.json").json())
    validator.validate(read(files, f"{name}.json"))
    assert list(validator.iter_errors({"data": []}))


def test_descriptions_are_those_of_the_marts(settings: Settings, files: Path) -> None:
    schemas = read(files, "openapi.json")["components"]["schemas"]
    with publications.open_publication(publications.require_current(settings)) as connection:
        for mart, form in (("leaderboard", "RowItem"), ("energy_prices", "PriceItem")):
            comments = dict(
                connection.execute(
                    "select column_name, comment from duckdb_columns() where table_name = ?", [mart]
                ).fetchall()
            )
            fields = schemas[form]["properties"]
            assert {name: field["description"] for name, field in fields.items()} == {
                name: " ".join(text.split()) for name, text in comments.items()
            }
    assert all(field.get("description") for form in schemas.values() for field in form["properties"].values())


def test_nothing_of_the_promise_disappears(files: Path) -> None:
    """What is new is promised with `python -m expectations.api.promise PUBLICATION/api/v1/openapi.json`."""
    now, promised = promise_of(read(files, "openapi.json")), json.loads(PROMISE_FILE.read_text())
    assert broken(promised, now) == []
    assert len(promised["components"]["schemas"]["RowItem"]["properties"]) >= 85


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (
            lambda form: form["properties"].pop("energy_per_output_joules"),
            "RowItem/properties/energy_per_output_joules is gone",
        ),
        (lambda form: form["required"].remove("task"), 'RowItem/required: "task" is gone'),
        (
            lambda form: form["properties"]["num_gpus"]["anyOf"][0].update(type="number"),
            'RowItem/properties/num_gpus/anyOf: {"type": "integer"} is gone',
        ),
        (
            lambda form: form["properties"]["leaderboard_id"].update(type="integer"),
            "RowItem/properties/leaderboard_id/type: 'string' has become 'integer'",
        ),
        (lambda form: form["properties"].update(description={"type": "string"}), None),
    ],
)
def test_what_breaks_the_promise_is_named(
    files: Path, change: Callable[[dict[str, Any]], Any], found: str | None
) -> None:
    document = read(files, "openapi.json")
    before = promise_of(document)
    change(document["components"]["schemas"]["RowItem"])
    expected = [f"/components/schemas/{found}"] if found else []
    assert broken(before, promise_of(document)) == expected
    assert before != promise_of(document)


@pytest.mark.parametrize("name", NAMES)
def test_each_filter_selects_what_has_its_value(name: str, client: TestClient, files: Path) -> None:
    (entry,) = [each for each in read(files, "index.json")["collections"] if each["name"] == name]
    items = read(files, f"{name}.json")["data"]
    for parameter in entry["filters"]:
        column = api.FILTERS[parameter]
        value = next(item[column] for item in items if item[column] is not None)
        wanted = [item for item in items if item[column] == value]
        answer = client.get(f"/api/v1/{name}.json", params={parameter: value, "page_size": 1000})
        assert answer.json()["data"] == wanted[:1000] and answer.json()["total"] == len(wanted)


def test_a_filter_may_be_repeated_and_filters_narrow_each_other(client: TestClient, files: Path) -> None:
    rows = read(files, "rows.json")["data"]
    models = sorted({row["model_id"] for row in rows if row["data_source"] == "jouleboard"})[:2]
    asked = "&".join(f"model={model}" for model in models)
    wanted = [row for row in rows if row["model_id"] in models and row["data_source"] == "jouleboard"]
    assert wanted and whole(client, f"rows.json?{asked}&source=jouleboard&page_size=2") == wanted


def test_a_value_that_only_other_collections_have_gives_nothing(client: TestClient, files: Path) -> None:
    loaded = {item["task"] for item in read(files, "load.json")["data"]}
    task = next(row["task"] for row in read(files, "rows.json")["data"] if row["task"] not in loaded)
    assert client.get(f"/api/v1/load.json?task={task}").json()["data"] == []


@pytest.mark.parametrize(
    ("address", "status", "detail"),
    [
        ("rows.json?gpu=H2000", 400, r"no item has the gpu 'H2000'; near it: H200, .*"),
        ("rows.json?task=%27%3B+drop", 400, r"no item has the task \"'; drop\"; there are: [a-z, .-]+"),
        ("rows.json?gpus=H200", 400, r"unknown parameter 'gpus'; there are: source, model, gpu, .*"),
        ("releases.json?gpu=H200", 400, r"unknown parameter 'gpu'; there are: source, runtime_version, .*"),
        ("rows.json?page=0", 400, "page is a number from 1, not '0'"),
        ("rows.json?page=-1", 400, "page is a number from 1, not '-1'"),
        ("rows.json?page=two", 400, "page is a number from 1, not 'two'"),
        ("rows.json?page=", 400, "page is a number from 1, not ''"),
        ("rows.json?page=1&page=2", 400, "page is there twice; say it once"),
        ("rows.json?page_size=1001", 400, "page_size is 1000 at most, not 1001"),
        ("rows.json?page=999999999", 404, r"rows\.json has no page 999999999; the last is \d+"),
        ("rows.json?publication=7", 409, "publication 7 is not the current one, 1 is; begin again with .*"),
        ("index.json?page=1", 400, "unknown parameter 'page'; there are: none"),
        ("nothing.json", 404, r"publication 1 has no nothing\.json; there are: index\.json, .*"),
        ("rows", 404, "publication 1 has no rows; there are: .*"),
    ],
)
def test_what_cannot_be_answered_is_one_line(
    client: TestClient, address: str, status: int, detail: str
) -> None:
    answer = client.get(f"/api/v1/{address}")
    assert answer.status_code == status
    assert answer.json().keys() == {"detail"}
    assert re.fullmatch(detail, answer.json()["detail"]), answer.text
    assert "ETag" not in answer.headers


def test_before_a_publication_and_beside_a_damaged_one_it_says_so(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")
    client = TestClient(application(settings))
    assert client.get("/api/v1/rows.json").json() == {"detail": "nothing is published yet; try again later"}
    (settings.published / "3").mkdir(parents=True)
    (settings.published / "3" / "manifest.json").write_text("{")
    (settings.published / "current").symlink_to("3")
    answer = client.get("/api/v1/rows.json")
    assert answer.status_code == 503
    assert re.fullmatch(r"the publication cannot be read: [^\n]+", answer.json()["detail"])


def test_an_answer_is_kept_until_the_next_publication(
    settings: Settings, client: TestClient, tmp_path: Path
) -> None:
    home = Settings(home=tmp_path / "home")
    shutil.copytree(settings.home, home.home, symlinks=True)
    client = TestClient(application(home))
    first = client.get("/api/v1/releases.json")
    etag = first.headers["ETag"]
    assert first.headers["Cache-Control"] == "private, no-cache"
    for known in (etag, f'"other", W/{etag}', "*"):
        again = client.get("/api/v1/releases.json", headers={"If-None-Match": known})
        assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", etag)
    assert client.get("/api/v1/releases.json", headers={"If-None-Match": '"other"'}).status_code == 200
    following = client.get("/api/v1/rows.json?page_size=3").json()["next"]
    publish(home, publications.require_current(home).database)
    newer = client.get("/api/v1/releases.json", headers={"If-None-Match": etag})
    assert newer.status_code == 200 and newer.headers["ETag"] != etag
    assert client.get(f"/api/v1/{following}").status_code == 409


def test_a_publication_without_a_mart_has_the_other_collections(tmp_path: Path, settings: Settings) -> None:
    candidate = tmp_path / "candidate.duckdb"
    shutil.copy(publications.require_current(settings).database, candidate)
    candidate.chmod(0o644)
    with duckdb.connect(str(candidate)) as connection:
        connection.execute("drop table marts.energy_prices")
    older = Settings(home=tmp_path / "home")
    item = publish(older, candidate)
    assert not (item.path / "api" / "v1" / "prices.json").exists()
    client = TestClient(application(older))
    assert client.get("/api/v1/prices.json").status_code == 404
    assert client.get("/api/v1/load.json").status_code == 200
    assert "/v1/prices.json" not in client.get("/api/v1/openapi.json").json()["paths"]


@pytest.mark.parametrize("file", ["rows.json", "index.json", "openapi.json", "nothing.json"])
def test_nobody_is_answered_without_a_login(settings: Settings, file: str) -> None:
    answer = TestClient(build_app(settings)).get(f"/api/v1/{file}")
    assert answer.status_code == 401


@contextmanager
def serving_files(folder: Path) -> Iterator[str]:
    """A host of plain files."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=str(folder)))
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@contextmanager
def serving_live(app: FastAPI) -> Iterator[str]:
    """The application on a port."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None))
    thread = Thread(target=server.run, daemon=True)
    thread.start()
    until(lambda: server.started, 30, "the server")
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/api"
    server.should_exit = True
    thread.join()


def test_the_client_of_the_guide_reads_both(
    settings: Settings, files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (program,) = re.findall(r"^```python\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)
    assert len(list(filter(None, program[: program.index("for row in")].splitlines()))) <= 10
    rows = [row for row in read(files, "rows.json")["data"] if row["data_source"] == "jouleboard"]
    printed = []
    with serving_files(files.parent) as static, serving_live(application(settings)) as live:
        for address in (static, live):
            names: dict[str, Any] = {}
            exec(
                compile(
                    program.replace("http://127.0.0.1:8080/jouleboard/api", address), "docs/api.md", "exec"
                ),
                names,
            )
            printed.append(capsys.readouterr().out)
            assert list(names["items"](f"{address}/v1/releases.json")) == read(files, "releases.json")["data"]
    assert printed[0] == printed[1]
    assert len(printed[0].splitlines()) == len(rows)


def test_a_promise_is_added_to_and_nothing_is_taken_away(
    files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    document, source = read(files, "openapi.json"), tmp_path / "openapi.json"
    monkeypatch.setattr(promise, "PROMISE_FILE", tmp_path / "v1.json")
    monkeypatch.setattr("sys.argv", ["promise", str(source)])
    fields = document["components"]["schemas"]["RowItem"]["properties"]
    source.write_text(json.dumps(document))
    promise.main()
    fields["new_joules"] = {"type": "number"}
    source.write_text(json.dumps(document))
    promise.main()
    assert json.loads((tmp_path / "v1.json").read_text()) == promise_of(document)
    del fields["new_joules"]
    source.write_text(json.dumps(document))
    with pytest.raises(SystemExit, match=r"error: v1 promises more: .*/properties/new_joules is gone"):
        promise.main()


def test_lists_have_a_form_and_what_has_none_is_named() -> None:
    collection = api.Collection("things", "mart", ("id",))
    columns = (Column("id", "VARCHAR", "Id."), Column("words", "VARCHAR[]", "Words."))
    thing = item_form(collection, Mart("mart", "A thing.", columns))
    assert thing.model_validate({"id": "a", "words": ["b", "c"]}).model_dump_json() == (
        '{"id":"a","words":["b","c"]}'
    )
    odd = Mart("mart", "", (*columns, Column("both", "STRUCT(a INTEGER)", "")))
    with pytest.raises(PublicationError, match=r"mart\.both: the API has no form for the type STRUCT"):
        item_form(collection, odd)
