"""What others measured is packed, and taken whole or not at all; what is forged is refused in one line."""

from __future__ import annotations

import gzip
import io
import json
import os
import shutil
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmark_tasks.errors import ContributionRefused, SignatureError
from benchmark_tasks.results import bundle
from benchmark_tasks.results.store import Store
from benchmark_tasks.results.tables import REQUESTS, TIMELINES
from benchmark_tasks.settings import Settings
from benchmark_tasks.signing import KeyKind, Registry, Signer, new_key
from benchmark_tasks.testing.samples import sample_run, write_sample
from expectations.contributions import pack, take
from expectations.contributions.archive import unpack
from tests.expectations.contributions.forgeries import FORGERIES, Forgery, renamed
from tests.expectations.gate_faults import _sum_again as sum_again


@dataclass(frozen=True)
class World:
    """Our installation with a landed run of ours and one of bob's, and everybody's keys."""

    settings: Settings
    keys: dict[str, Signer]
    homes: dict[str, Settings]
    ours: Path
    bobs: str

    def state(self) -> dict[str, bytes]:
        """Every file of the landing zone."""
        raw = self.settings.raw
        return {str(path.relative_to(raw)): path.read_bytes() for path in raw.rglob("*") if path.is_file()}

    def signed(self, folder: Path, name: str = "alice") -> Path:
        if name:
            self.keys[name].sign(folder / bundle.CHECKSUMS_FILE)
        return folder


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    root = tmp_path_factory.mktemp("contributions")
    settings = Settings(home=root / "home")
    homes = {name: Settings(home=root / name) for name in ("gpu-1", "alice", "bob", "carol", "mallory")}
    keys = {name: new_key(home) for name, home in homes.items()}
    registry = Registry().trust("gpu-1", KeyKind.HOST, keys["gpu-1"].public_key)
    for name in ("alice", "bob", "carol"):
        registry = registry.trust(name, KeyKind.CONTRIBUTOR, keys[name].public_key)
    registry.revoke("carol", "lost her laptop").write(settings)
    written = write_sample(root / "ours", sample_run(batch_size=16))
    ours = Store.of(settings).land_copy(written)
    bobs = sample_run(batch_size=8)
    pack([write_sample(root / "of-bob", bobs)], root / "bob.tar.gz", homes["bob"])
    take(root / "bob.tar.gz", "bob", settings)
    return World(settings, keys, homes, ours, bobs.run_id)


@pytest.fixture
def good(tmp_path: Path) -> Path:
    return write_sample(tmp_path / "good", sample_run(batch_size=32))


@pytest.fixture
def unchanged(world: World) -> Iterator[None]:
    """Nothing has landed, and nothing is left of what was looked at."""
    before = world.state()
    yield
    assert world.state() == before
    left = world.settings.raw / ".incoming"
    assert not left.exists() or not list(left.iterdir())


def refused(world: World, source: Path, contributor: str = "alice") -> list[str]:
    with pytest.raises(ContributionRefused) as caught:
        take(source, contributor, world.settings)
    assert "\n" not in str(caught.value)
    return list(caught.value.faults) or [str(caught.value)]


def test_a_contribution_lands_once_and_is_its_contributor_s(world: World, good: Path, tmp_path: Path) -> None:
    home = shutil.copytree(world.settings.home, tmp_path / "home")
    settings = Settings(home=home)
    file = tmp_path / "alice.tar.gz"
    assert pack([good], file, world.homes["alice"]) == 1
    assert not (good / "SIGNATURE").exists(), "the contributor's own bundle stays as it is"
    assert take(file, "alice", settings).landed == (good.name,)
    again = take(file, "alice", settings)
    assert (again.landed, again.known) == ((), (good.name,))
    found = Store.of(settings).find(good.name)
    assert found is not None
    assert (found / "SIGNATURE").read_text().count(world.keys["alice"].public_key) == 1


def test_equal_bundles_give_equal_files(world: World, good: Path, tmp_path: Path) -> None:
    files = [tmp_path / "a.tar.gz", tmp_path / "b.tar.gz"]
    for file in files:
        pack([good], file, world.homes["alice"])
    assert files[0].read_bytes() == files[1].read_bytes()


@pytest.mark.parametrize("forgery", FORGERIES, ids=[forgery.name for forgery in FORGERIES])
@pytest.mark.usefixtures("unchanged")
def test_what_is_forged_is_refused_in_one_line(
    world: World, good: Path, tmp_path: Path, forgery: Forgery
) -> None:
    """A good bundle of the same file does not land either."""
    another = world.signed(write_sample(tmp_path / "sent", sample_run(batch_size=64)))
    forged = forgery.forge(tmp_path / "sent", good, world.ours)
    sum_again(forged)
    world.signed(forged, forgery.signer)
    lines = refused(world, tmp_path / "sent")
    assert all(forged.name in line and "\n" not in line for line in lines), lines
    assert any(forgery.said in line for line in lines), lines
    assert another.exists()


@pytest.mark.usefixtures("unchanged")
def test_a_run_of_another_contributor_cannot_be_taken_over(world: World, tmp_path: Path) -> None:
    bobs = Store.of(world.settings).find(world.bobs)
    assert bobs is not None
    taken = renamed(bobs, tmp_path, world.bobs)
    sum_again(taken)
    (line,) = refused(world, world.signed(taken).parent)
    assert "its id is that of another run that has landed (signed by bob (contributor))" in line


@pytest.mark.usefixtures("unchanged")
def test_the_same_measurement_twice_in_one_file_is_refused(world: World, good: Path, tmp_path: Path) -> None:
    for folder in (renamed(good, tmp_path / "sent"), renamed(good, tmp_path / "sent")):
        sum_again(folder)
        world.signed(folder)
    lines = refused(world, tmp_path / "sent")
    assert len(lines) == 1
    assert "not_a_replay" in lines[0]


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("name", [bundle.RUN_FILE, bundle.REQUESTS_FILE, bundle.CHECKSUMS_FILE, "SIGNATURE"])
def test_a_byte_changed_on_the_way_is_named(world: World, good: Path, tmp_path: Path, name: str) -> None:
    sent = world.signed(Path(shutil.copytree(good, tmp_path / "sent" / good.name)))
    content = bytearray((sent / name).read_bytes())
    content[len(content) // 2] ^= 1
    (sent / name).write_bytes(content)
    (line,) = refused(world, tmp_path / "sent")
    assert good.name in line


@pytest.mark.parametrize(
    ("contributor", "said"),
    [("nobody", "no contributor 'nobody'"), ("gpu-1", "no contributor"), ("carol", "lost her laptop")],
)
@pytest.mark.usefixtures("unchanged")
def test_who_is_no_trusted_contributor_lands_nothing(
    world: World, good: Path, contributor: str, said: str
) -> None:
    with pytest.raises(SignatureError, match=said):
        take(world.signed(good), contributor, world.settings)


def of_one_value(schema: pa.Schema, column: str, value: object, count: int) -> pa.Table:
    """A table in which one column says the same value very often; the others are empty."""
    empty = pa.table({field.name: pa.nulls(count, field.type) for field in schema})
    at, kind = schema.get_field_index(column), schema.field(column).type
    values = pa.repeat(pa.scalar(value, kind), count) if not pa.types.is_string(kind) else None
    if values is None:
        values = pa.DictionaryArray.from_arrays(pa.nulls(count, pa.int32()).fill_null(0), pa.array([value]))
    return empty.set_column(at, column, values)


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize(
    ("name", "table"),
    [
        (bundle.TIMELINES_FILE, lambda: of_one_value(TIMELINES, "value", 1.0, 26_000_000)),
        (bundle.REQUESTS_FILE, lambda: of_one_value(REQUESTS, "error", "x" * 100_000, 300_000)),
    ],
)
def test_a_table_that_would_fill_the_memory_is_refused(
    world: World, good: Path, tmp_path: Path, name: str, table: Callable[[], pa.Table]
) -> None:
    sent = renamed(good, tmp_path / "sent", good.name)
    pq.write_table(table(), sent / name, store_schema=name == bundle.TIMELINES_FILE)
    assert (sent / name).stat().st_size < 2_000_000
    sum_again(sent)
    (line,) = refused(world, world.signed(sent).parent)
    assert f"{name}: a table of more values than any measurement has" in line


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("name", [bundle.REQUESTS_FILE, bundle.TIMELINES_FILE])
@pytest.mark.parametrize(
    "change",
    [
        lambda table: table.drop_columns([table.column_names[-2]]),
        lambda table: table.append_column("more", pa.nulls(table.num_rows)),
        lambda table: table.set_column(2, table.column_names[2], pa.array(["x"] * table.num_rows)),
    ],
    ids=["a column less", "a column more", "another type"],
)
def test_tables_have_the_columns_of_a_measurement(
    world: World, good: Path, tmp_path: Path, name: str, change: Callable[[pa.Table], pa.Table]
) -> None:
    sent = renamed(good, tmp_path / "sent", good.name)
    pq.write_table(change(pq.read_table(good / name)), sent / name)
    sum_again(sent)
    (line,) = refused(world, world.signed(sent).parent)
    assert f"{name}: column" in line


Pack = Callable[[tarfile.TarFile], None]
RUN = "01a227b8-db48-7fe9-b723-f9fae9ddfd92"


def member(name: str, content: bytes = b"x", **fields: object) -> Pack:
    def add(tar: tarfile.TarFile) -> None:
        info = tarfile.TarInfo(name)
        info.size = len(content) if fields.get("type", tarfile.REGTYPE) == tarfile.REGTYPE else 0
        for key, value in fields.items():
            setattr(info, key, value)
        tar.addfile(info, io.BytesIO(content))

    return add


HOSTILE: dict[str, Pack] = {
    "path out of the folder": member("../../evil"),
    "path out through the run's folder": member(f"{RUN}/../evil"),
    "absolute path": member("/tmp/evil"),
    "another file": member(f"{RUN}/notes.txt"),
    "a folder below the bundle": member(f"{RUN}/more/run.json"),
    "symbolic link": member(f"{RUN}/run.json", type=tarfile.SYMTYPE, linkname="/etc/passwd"),
    "hard link": member(f"{RUN}/run.json", type=tarfile.LNKTYPE, linkname="/etc/passwd"),
    "device": member(f"{RUN}/run.json", type=tarfile.CHRTYPE),
    "pipe": member(f"{RUN}/run.json", type=tarfile.FIFOTYPE),
    "sparse file": member(f"{RUN}/run.json", type=tarfile.GNUTYPE_SPARSE),
    "extended header": member(f"{RUN}/run.json", type=tarfile.XHDTYPE),
    "name with a line break": member(f"{RUN}/run.json\nevil"),
    "large record": member(f"{RUN}/run.json", b"0" * (5 << 20)),
    "nothing": lambda tar: None,
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.usefixtures("unchanged")
def test_a_hostile_file_is_one_line_and_writes_nothing(world: World, tmp_path: Path, name: str) -> None:
    file = tmp_path / "hostile.tar.gz"
    with tarfile.open(file, "w:gz", format=tarfile.USTAR_FORMAT) as tar:
        HOSTILE[name](tar)
    (line,) = refused(world, file)
    assert "\n" not in line
    assert sorted(tmp_path.iterdir()) == [file]


@pytest.mark.usefixtures("unchanged")
def test_a_bomb_is_refused_before_it_is_written(world: World, tmp_path: Path) -> None:
    file, out = tmp_path / "bomb.tar.gz", tmp_path / "out"
    out.mkdir()
    with tarfile.open(file, "w:gz", format=tarfile.USTAR_FORMAT) as tar:
        for name in (bundle.REQUESTS_FILE, bundle.TIMELINES_FILE):
            member(f"{RUN}/{name}", bytes(30 << 20))(tar)
    assert file.stat().st_size < 100_000
    with pytest.raises(ContributionRefused, match=r"unpacks to more than 0\.05 GB"):
        unpack(file, out, 50_000_000)
    assert sum(path.stat().st_size for path in out.rglob("*") if path.is_file()) <= 50_000_000


@pytest.mark.parametrize("cut", [1, 10, 600, 5000])
@pytest.mark.usefixtures("unchanged")
def test_a_file_that_is_cut_off_lands_nothing(world: World, good: Path, tmp_path: Path, cut: int) -> None:
    pack([good], tmp_path / "whole.tar.gz", world.homes["alice"])
    content = (tmp_path / "whole.tar.gz").read_bytes()
    (tmp_path / "cut.tar.gz").write_bytes(content[:-cut])
    refused(world, tmp_path / "cut.tar.gz")


@pytest.mark.parametrize(
    "content",
    [b"", b"PK\x03\x04 a zip", gzip.compress(b"no tar" * 200), os.urandom(2000)],
    ids=["empty", "zip", "no tar", "noise"],
)
@pytest.mark.usefixtures("unchanged")
def test_another_file_is_one_line(world: World, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "file").write_bytes(content)
    refused(world, tmp_path / "file")
    refused(world, tmp_path / "no-such-file")


@pytest.mark.usefixtures("unchanged")
def test_a_link_in_a_folder_is_not_followed(world: World, good: Path, tmp_path: Path) -> None:
    sent = renamed(good, tmp_path / "sent", good.name)
    (sent / bundle.SERVER_LOG).unlink()
    (sent / bundle.SERVER_LOG).symlink_to("/etc/hostname")
    (line,) = refused(world, tmp_path / "sent")
    assert "not a plain file" in line


def test_packing_says_each_fault_and_writes_nothing(world: World, good: Path, tmp_path: Path) -> None:
    def hot(content: dict[str, object]) -> None:
        content["device"]["temperature_max_celsius"] = 120.0  # type: ignore[index]

    bad = renamed(good, tmp_path / "mine", spoil=hot)
    sum_again(bad)
    of_bob = renamed(good, tmp_path / "mine")
    sum_again(of_bob)
    world.signed(of_bob, "bob")
    torn = renamed(good, tmp_path / "mine")
    with pytest.raises(ContributionRefused) as caught:
        pack([bad, of_bob, torn], tmp_path / "file", world.homes["alice"])
    assert not (tmp_path / "file").exists()
    for folder, said in (
        (bad, "not_too_hot"),
        (of_bob, "signed with another key"),
        (torn, "run.json: changed"),
    ):
        assert any(folder.name in line and said in line for line in caught.value.faults), caught.value.faults
    with pytest.raises(SignatureError, match="no key here"):
        pack([good], tmp_path / "file", Settings(home=tmp_path / "keyless"))


def test_plain_landing_leaves_contributions_to_their_option(world: World, good: Path) -> None:
    from typer.testing import CliRunner

    from benchmark_tasks.cli import app

    world.signed(good)
    result = CliRunner().invoke(
        app.app, ["land", str(good)], env={"JOULEBOARD_HOME": str(world.settings.home)}
    )
    assert result.exit_code != 0
    assert "land it with --contributor alice" in str(result.exception)
    assert json.loads((good / bundle.RUN_FILE).read_text())["run_id"] not in {
        Path(name).parent.name for name in world.state()
    }
