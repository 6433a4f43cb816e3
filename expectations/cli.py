"""The part of the command for analysts: `jouleboard refresh`, `publications`, `query`, `explain`, ..."""

from __future__ import annotations

import csv
import getpass
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from benchmark_tasks.cli.output import json_text
from benchmark_tasks.errors import FiguresDiffer, PublicationError, SettingsError, SignatureError
from benchmark_tasks.settings import Settings
from benchmark_tasks.signing import Registry
from benchmark_tasks.vocabulary import DataSource
from expectations import publications
from expectations.publications import MOST_QUERY_SECONDS, QUERY_SECONDS, Table
from expectations.publications import query as run_query

if TYPE_CHECKING:
    from expectations.rows import Row

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)
publications_app = typer.Typer(
    no_args_is_help=True, help="Numbered publications: list, show, roll back, verify, repair."
)
quarantine_app = typer.Typer(no_args_is_help=True, help="Runs that the gate set aside: list, show, release.")
app.add_typer(publications_app, name="publications")
app.add_typer(quarantine_app, name="quarantine")
changes_app = typer.Typer(
    invoke_without_command=True,
    help="Changes of energy between releases that are candidates or were rerun: list, contest, withdraw.",
)
app.add_typer(changes_app, name="changes")
export_app = typer.Typer(no_args_is_help=True, help="A publication in the forms that other tools read.")
app.add_typer(export_app, name="export")

Json = Annotated[bool, typer.Option("--json", help="Print JSON on standard output.")]


@app.command()
def refresh(
    note: Annotated[str | None, typer.Option(help="Note, kept with the publication.")] = None,
    approve: Annotated[
        str | None,
        typer.Option(metavar="WHY", help="Approve changes beyond the band, for this reason."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Build the marts from the landed runs, let the gate decide, and publish.

    With JOULEBOARD_PUBLISH_TO the current publication is then copied into that database; if that fails, it
    stays published and the exit code is not 0.
    """
    from expectations.exports import Target
    from expectations.gate.approval import Approval
    from expectations.refresh import refresh as build_and_publish

    settings = Settings.from_environment()
    Target.of(settings)  # a wrong address is said before the work
    approval = Approval(approve, getpass.getuser()) if approve else None
    result = build_and_publish(settings, note=note, approve=approval, say=_progress)
    if as_json:
        _print_json(result.as_dict())
    _copy_to_database(settings)


@app.command()
def contribute(
    paths: Annotated[list[Path], typer.Argument(help="Bundles, or folders that contain bundles.")],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE", help="The file to write.")],
) -> None:
    """Pack bundles for others: checked as the gate does, signed with this installation's key.

    Each fault is one line, and then nothing is written. Send the file and, by a way that they trust, your
    public key (`jouleboard keys list`). They take it with `jouleboard land FILE --contributor NAME`.
    """
    from benchmark_tasks.cli.landing import bundles_in
    from benchmark_tasks.errors import ContributionRefused
    from expectations.contributions import pack

    try:
        count = pack(bundles_in(paths), output, Settings.from_environment())
    except ContributionRefused as error:
        for fault in error.faults:
            _progress(fault)
        raise
    typer.echo(f"packed {count} bundles into {output}")


@app.command()
def digest(
    days: Annotated[int, typer.Option(min=1, max=366, help="How many days to look back.")] = 7,
    as_json: Json = False,
) -> None:
    """Print what was seen, measured, changed and published in the last days, and what it cost."""
    from expectations.history.digest import digest as write_digest

    written = write_digest(Settings.from_environment(), days)
    if as_json:
        _print_json({"title": written.title, "text": written.text, "html": written.html})
    else:
        print(f"{written.title}\n\n{written.text}", end="")


RowName = Annotated[
    str,
    typer.Argument(
        metavar="ROW",
        help="A row's leaderboard_id, the beginning of it, or its address on the board.",
    ),
]
OfPublication = Annotated[
    int | None,
    typer.Option("--publication", min=1, help="Number of the publication; default: the current one."),
]


@app.command()
def explain(row: RowName, publication: OfPublication = None, as_json: Json = False) -> None:
    """Say what a row rests on: its runs, hosts, GPUs and windows, and where the bundles lie."""
    from expectations.rows import explain as explain_row

    settings = Settings.from_environment()
    explained = explain_row(_row(settings, publication, row), settings)
    if as_json:
        _print_json(explained.as_dict())
        return
    _print_lines(*explained.head)
    if explained.runs:
        _print_columns(*explained.table)
    _print_lines(*explained.foot)


@app.command()
def recompute(row: RowName, publication: OfPublication = None, as_json: Json = False) -> None:
    """Work a row's figures out again from the bundles of its runs, without dbt and the gate, and compare.

    Exit code 0: all are equal. 3: not all are. 75: the cold storage does not answer. 1: anything else.
    """
    from expectations.rows import recompute as recompute_rows

    settings = Settings.from_environment()
    (result,) = recompute_rows([_row(settings, publication, row)], settings)
    if result.problem:
        raise result.problem
    if as_json:
        _print_json(result.as_dict())
    else:
        _print_lines(f"row {result.row.id}: {result.row.name}", f"recomputed from {result.source}")
        # The same runs are no news, and make the table too wide to read: `explain` names them.
        shown = [one for one in result.figures if one.column != "run_ids" or not one.equal]
        _print_columns(
            ("figure", "published", "recomputed", ""),
            [(one.column, *one.texts, "equal" if one.equal else "DIFFERS") for one in shown],
        )
    if not result.equal:
        raise FiguresDiffer(f"not equal: {_cell(result.what_differs)}")


def _row(settings: Settings, number: int | None, text: str) -> Row:
    from expectations.rows import find_row

    with publications.open_publication(_publication(settings, number)) as connection:
        return find_row(connection, text)


@publications_app.command("list")
def list_publications(as_json: Json = False) -> None:
    """List every publication on disk, oldest first; `*` marks the current one."""
    settings = Settings.from_environment()
    now = publications.current_number(settings.published)
    rows = [_summary(item, now) for item in publications.all_publications(settings)]
    for why in publications.unreadable(settings).values():
        _progress(f"warning: {why}")
    if as_json:
        _print_json(rows)
    elif not rows:
        typer.echo("nothing is published yet; run `jouleboard refresh`")
    else:
        _print_columns(
            ("", "number", "published at", "rows", "runs", "gate", "note"),
            [
                (
                    "*" if row["current"] else "",
                    row["publication_number"],
                    row["published_at"],
                    row["row_count"],
                    row["run_count"],
                    row["gate_verdict"],
                    row["note"] or "",
                )
                for row in rows
            ],
        )


@publications_app.command("show")
def show_publication(
    number: Annotated[int | None, typer.Argument(min=1, help="Default: the current one.")] = None,
    as_json: Json = False,
) -> None:
    """Show one publication: time, runs, gate, tables."""
    item = _publication(Settings.from_environment(), number)
    if as_json:
        _print_json(dict(item.manifest))
        return
    manifest = item.manifest
    typer.echo(f"publication {item.number} of {manifest['published_at']}, commit {manifest['git_commit']}")
    typer.echo(f"note: {_cell(manifest['note'] or '-')}")
    if approval := manifest.get("approval"):
        typer.echo(_cell(f"approved by {approval.get('by', '?')}: {approval['why']}"))
    runs, gate = manifest["runs"], manifest["gate"]
    typer.echo(
        f"runs: {runs['accepted']} accepted, {runs['quarantined']} quarantined; gate: {gate['verdict']}"
    )
    typer.echo(f"page: {item.path / publications.SITE_FOLDER / 'index.html'}")
    _print_columns(("mart", "rows"), list(item.rows.items()))


@publications_app.command("figure")
def figure(
    name: Annotated[
        str | None, typer.Argument(help="Name of the figure; without one they are listed.")
    ] = None,
    picture: Annotated[
        Path | None, typer.Argument(dir_okay=False, help="The PNG to write; by default its name, here.")
    ] = None,
    scale: Annotated[float, typer.Option(min=0.1, max=10, help="Pixels per pixel of the figure.")] = 2.0,
) -> None:
    """Draw a figure of the current publication as PNG; without a name, list the figures."""
    from expectations.pages.png import write_png

    folder = _publication(Settings.from_environment(), None).path / publications.SITE_FOLDER / "figures"
    figures = {path.relative_to(folder).with_suffix("").as_posix(): path for path in folder.rglob("*.svg")}
    if name is None:
        typer.echo("\n".join(sorted(figures)))
        return
    if name not in figures:
        raise PublicationError(f"no figure {name!r}; `jouleboard publications figure` lists them")
    target = picture or Path(f"{figures[name].stem}.png")
    write_png(figures[name].read_text(), target, scale)
    typer.echo(str(target))


@publications_app.command("rollback")
def rollback(number: Annotated[int, typer.Argument(min=1)], as_json: Json = False) -> None:
    """Make another publication the current one, older or newer; also in JOULEBOARD_PUBLISH_TO."""
    from expectations.exports import Target

    settings = Settings.from_environment()
    Target.of(settings)
    item = publications.roll_back(settings, number)
    if as_json:
        _print_json({"current": item.number})
    else:
        typer.echo(f"publication {item.number} is current")
    _copy_to_database(settings)


@app.command("verify")
def verify_folders(
    paths: Annotated[list[Path], typer.Argument(help="Bundles, publications, or folders that hold some.")],
    keys: Annotated[
        Path | None, typer.Option(help="A registry of keys; default: that of JOULEBOARD_HOME.")
    ] = None,
    signed: Annotated[bool, typer.Option("--signed", help="What is unsigned fails, too.")] = False,
    as_json: Json = False,
) -> None:
    """Check every byte of bundles and publications, and who signed them. Needs no network.

    Exit code 1: something was changed, its key is revoked or unknown, or nothing is there to check.
    """
    from expectations.publications.folders import verify_folder

    registry = Registry.read_file(keys) if keys else Registry.read(Settings.from_environment())
    found = [item for path in paths for item in verify_folder(path, registry, require_signed=signed)]
    if as_json:
        _print_json([vars(item) for item in found])
    else:
        _print_lines(*(f"{item.path}: {item.problem or item.signed}" for item in found))
    bad = [item for item in found if item.problem]
    if bad:
        raise PublicationError(f"{len(bad)} of {len(found)} not as they should be: {bad[0].problem}")


@publications_app.command("verify")
def verify(
    number: Annotated[
        int | None, typer.Argument(min=1, help="Default: all of them; with --deep the current one.")
    ] = None,
    deep: Annotated[
        bool, typer.Option("--deep", help="Also work every row out again from its bundles (minutes).")
    ] = False,
    as_json: Json = False,
) -> None:
    """Check every file of the publications against its manifest; with --deep also every row."""
    settings = Settings.from_environment()
    if deep:
        number = _publication(settings, number).number
    items = [publications.read(settings, number)] if number else publications.all_publications(settings)
    damage = {item.number: publications.verify(settings, item) for item in items}
    if number is None:
        damage |= {each: [why] for each, why in publications.unreadable(settings).items()}
    registry = Registry.read(settings)
    signed = {item.number: registry.describe(item.manifest.get("signed_by")) for item in items}
    if as_json:
        _print_json(damage)
    for item in items if not as_json else ():
        files, others = len(item.manifest["files"]), publications.foreign(item)
        ignored = f"; {len(others)} files of others ignored, e.g. {others[0]}" if others else ""
        typer.echo(
            f"publication {item.number}: "
            + _cell(
                "; ".join(damage[item.number]) or f"{files} files unchanged, {signed[item.number]}{ignored}"
            )
        )
    bad = [number for number in sorted(damage) if damage[number]]
    if bad:
        raise PublicationError(f"damaged: {', '.join(map(str, bad))}; {publications.REPAIR}")
    for item in items:
        if why := registry.objection(item.manifest.get("signed_by"), item.published_at):
            raise SignatureError(f"publication {item.number}: {why}")
    if deep and number is not None:
        from expectations.rows.deep import verify_rows

        published = publications.read(settings, number)
        verified = verify_rows(settings, published, say=lambda line: _progress(_cell(line)))
        if not as_json:
            typer.echo(verified)


@publications_app.command("repair")
def repair(as_json: Json = False) -> None:
    """Leave damaged publications behind, so that a refresh works again; nothing is deleted.

    They are moved to `published/.left_behind`. If the current one is among them, the newest whole one becomes
    the current one.
    """
    lines = publications.repair(Settings.from_environment())
    if as_json:
        _print_json(lines)
    else:
        typer.echo("\n".join(map(_cell, lines)) or "nothing is damaged")


@app.command()
def query(
    sql: Annotated[str, typer.Argument(help="One SQL statement; the marts need no schema prefix.")],
    as_json: Json = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV on standard output.")] = False,
    seconds: Annotated[
        float, typer.Option(min=0.1, max=MOST_QUERY_SECONDS, help="Longest time for the query, seconds.")
    ] = QUERY_SECONDS,
) -> None:
    """Run a SQL query on the current publication, read-only."""
    _require_one_form(as_json, as_csv)
    table = run_query(Settings.from_environment(), sql, seconds=seconds)
    if as_json:
        _print_json(table.records())
    elif as_csv:
        writer = csv.writer(sys.stdout)
        writer.writerow(table.columns)
        writer.writerows(table.rows)
    else:
        _print_table(table)


_TEXT, _MEDIA = "A request of text", "An image or a video"


@app.command()
def price(
    model: Annotated[str, typer.Option(help="Model id or display name.")],
    gpu: Annotated[str, typer.Option(help="GPU model, e.g. H200.")],
    *,
    prompt: Annotated[
        int | None, typer.Option(help="Length of the prompt, tokens.", rich_help_panel=_TEXT)
    ] = None,
    answer: Annotated[
        int | None, typer.Option(help="Length of the answer, tokens.", rich_help_panel=_TEXT)
    ] = None,
    load: Annotated[
        list[float] | None,
        typer.Option(
            help="Share of the most requests per second, above 0 and at most 1; may be repeated. Default: 1.",
            rich_help_panel=_TEXT,
        ),
    ] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Denoising steps.", rich_help_panel=_MEDIA)] = None,
    height: Annotated[int | None, typer.Option(min=1, help="Pixels.", rich_help_panel=_MEDIA)] = None,
    width: Annotated[int | None, typer.Option(min=1, help="Pixels.", rich_help_panel=_MEDIA)] = None,
    frames: Annotated[
        int | None, typer.Option(min=1, help="Frames of a video.", rich_help_panel=_MEDIA)
    ] = None,
    batch_size: Annotated[
        int | None,
        typer.Option(
            min=1, help="Images or videos at once; default: each that can answer.", rich_help_panel=_MEDIA
        ),
    ] = None,
    version: Annotated[
        str | None, typer.Option(help="Runtime version; default: the newest that can answer.")
    ] = None,
    weights: Annotated[str | None, typer.Option(help="Kind of weights, e.g. real.")] = None,
    precision: Annotated[str | None, typer.Option(help="Weight precision, e.g. bfloat16.")] = None,
    gpus: Annotated[int | None, typer.Option(help="Number of GPUs.")] = None,
    publication: OfPublication = None,
    as_json: Json = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV on standard output.")] = False,
) -> None:
    """Say what a request takes at a load (--prompt, --answer), or an image or video (--steps, ...).

    A request, by prices per token: no measurement, but a model fitted to measurements (docs/prices.md). In a
    stream of such requests; there is no price beyond the lengths and loads that were measured.

    An image or a video: as measured, if it was; otherwise by a law fitted to measurements, with its error on
    points left out (docs/diffusion-law.md). There is no figure beyond the measured steps, pixels and frames.
    """
    from expectations.laws import answer as media
    from expectations.prices import answer as text

    _require_one_form(as_json, as_csv)
    of_text = load or prompt is not None or answer is not None
    of_media = any(value is not None for value in (steps, height, width, frames, batch_size))
    if of_text and of_media:
        raise SettingsError(
            "--prompt and --answer price a request of text, --steps, --height and --width an image or video:"
            " give one kind"
        )
    if of_media and (steps is None or height is None or width is None):
        raise SettingsError("give --steps, --height and --width of the image or video")
    if not of_media and (prompt is None or answer is None):
        raise SettingsError(
            "give --prompt and --answer of a request of text, or --steps, --height and --width of an image or"
            " video"
        )
    published = _publication(Settings.from_environment(), publication)
    asked: dict[str, Any] = {
        "model": model,
        "gpu": gpu,
        "version": version,
        "weights": weights,
        "precision": precision,
        "gpus": gpus,
    }
    if of_media:
        asked |= {
            "steps": steps,
            "height": height,
            "width": width,
            "frames": frames,
            "batch_size": batch_size,
        }
        images = media.answers(media.setups_of(published), **asked)
        _print_priced(images.records(), media.COLUMNS, media.in_words(images), as_json=as_json, as_csv=as_csv)
    else:
        asked |= {"prompt": prompt, "answer": answer, "loads": load or [1.0]}
        requests = text.answers(text.lists_of(published), **asked)
        _print_priced(
            requests.records(), text.COLUMNS, text.in_words(requests), as_json=as_json, as_csv=as_csv
        )


def _require_one_form(as_json: bool, as_csv: bool) -> None:
    if as_json and as_csv:
        raise SettingsError("--json and --csv are two forms: give one of them")


def _print_priced(
    records: list[dict[str, Any]],
    columns: tuple[str, ...],
    words: tuple[str, tuple[Any, Any], tuple[str, ...]],
    *,
    as_json: bool,
    as_csv: bool,
) -> None:
    if as_json:
        _print_json(records)
    elif as_csv:
        writer = csv.DictWriter(sys.stdout, columns)
        writer.writeheader()
        writer.writerows(records)
    else:
        head, table, foot = words
        _print_lines(head)
        _print_columns(*table)
        _print_lines(*foot)


@export_app.command("tables")
def export_tables(
    folder: Annotated[Path, typer.Argument(help="A new or an empty folder.")],
    publication: OfPublication = None,
) -> None:
    """Write one CSV file per mart, and `croissant.json` (Croissant 1.0), which describes every column."""
    from expectations.exports import export_tables as write

    item = _publication(Settings.from_environment(), publication)
    names = write(item, folder)
    typer.echo(f"wrote {len(names)} files of publication {item.number} into {folder}")


@export_app.command("mlenergy")
def export_mlenergy(
    folder: Annotated[Path, typer.Argument(help="A new or an empty folder.")],
    source: Annotated[DataSource, typer.Option(help="Whose rows.")] = DataSource.JOULEBOARD,
    parquet: Annotated[
        bool, typer.Option("--parquet", help="Parquet for the package mlenergy-data instead of JSON.")
    ] = False,
    publication: OfPublication = None,
) -> None:
    """Write rows in the layout of ML.ENERGY's leaderboard, which `import mlenergy` reads, too."""
    from benchmark_tasks import catalog
    from expectations import exports

    settings = Settings.from_environment()
    item = _publication(settings, publication)
    write = exports.export_mlenergy_runs if parquet else exports.export_mlenergy
    done = write(item, folder, source, catalog.load(overlay=settings.catalog))
    typer.echo(f"wrote {done}; publication {item.number}, {folder}")


@export_app.command("hub")
def export_hub(
    folder: Annotated[Path, typer.Argument(help="A new or an empty folder.")],
    licence: Annotated[
        str, typer.Option(help="Under which you pass the rows on, as the hub names it, e.g. cc-by-4.0.")
    ],
    name: Annotated[str, typer.Option(help="Name of the data set, for people.")] = "Jouleboard",
    with_imported: Annotated[
        bool, typer.Option("--with-imported", help="Also the rows that others published; mind their licence.")
    ] = False,
    publication: OfPublication = None,
) -> None:
    """Write a data set folder for a model hub: card, Parquet per mart, where it comes from.

    `datasets.load_dataset(FOLDER, MART)` reads it. Nothing is sent anywhere.
    """
    from expectations.exports import export_hub as write

    item = _publication(Settings.from_environment(), publication)
    names = write(item, folder, licence=licence, name=name, imported=with_imported)
    typer.echo(f"wrote {len(names)} marts of publication {item.number} into {folder}")


@export_app.command("ecologits")
def export_ecologits(
    file: Annotated[Path, typer.Argument(help="A new file, e.g. ecologits.json.")],
    source: Annotated[DataSource, typer.Option(help="Whose rows.")] = DataSource.JOULEBOARD,
    publication: OfPublication = None,
) -> None:
    """Write measured energy per output token of each model, with its rows, in a file that EcoLogits reads."""
    from expectations.exports import export_ecologits as write

    item = _publication(Settings.from_environment(), publication)
    done = write(item, file, source)
    typer.echo(f"wrote {done.models} models with {done.rows} rows of publication {item.number} into {file}")


@export_app.command("postgresql")
def export_postgresql() -> None:
    """Copy the current publication into the database that JOULEBOARD_PUBLISH_TO names, also if it is there.

    A refresh and a rollback do so by themselves. Readers see the old tables until the copy is whole.
    """
    from expectations.exports import bring_up_to_date

    settings = Settings.from_environment()
    item = _publication(settings, None)
    if line := bring_up_to_date(settings, item, always=True):
        typer.echo(_cell(line))
    else:
        raise SettingsError("set JOULEBOARD_PUBLISH_TO, e.g. to postgresql://USER:PASSWORD@HOST/DATABASE")


@quarantine_app.command("list")
def list_quarantine(as_json: Json = False) -> None:
    """List quarantined, released and replaced runs, as a refresh would judge them now."""
    rows = [_verdict(verdict) for verdict in _verdicts().values() if verdict.critical]
    if as_json:
        _print_json(rows)
    elif not rows:
        typer.echo("quarantine is empty")
    for row in rows if not as_json else ():
        typer.echo(f"{row['run_id']}  {row['state']}  {row['reasons']}")


@quarantine_app.command("show")
def show_quarantine(run_id: str, as_json: Json = False) -> None:
    """Show every finding on one run, warnings included."""
    verdict = _verdicts().get(run_id)
    if verdict is None:
        raise PublicationError(f"no landed run {run_id!r}; see `jouleboard quarantine list`")
    if as_json:
        _print_json(_verdict(verdict))
        return
    typer.echo(f"{verdict.run_id}  {_state(verdict)}")
    _print_columns(
        ("severity", "check", "observed", "reason"),
        [(finding.severity, finding.check, finding.observed, finding.reason) for finding in verdict.findings],
    )


@quarantine_app.command("release")
def release(
    run_id: str,
    why: Annotated[str, typer.Option(help="Why the run counts despite its findings; shown with the run.")],
    as_json: Json = False,
) -> None:
    """Let a quarantined run count from the next refresh on. The reason is kept."""
    from expectations.gate import quarantine
    from expectations.suites.run import run_checks

    entry = quarantine.release(Settings.from_environment(), run_id, why, _verdicts(), run_checks())
    if as_json:
        _print_json(vars(entry))
    else:
        typer.echo(f"released {entry.run_id}; run `jouleboard refresh` to publish it")


@changes_app.callback()
def list_changes(context: typer.Context, as_json: Json = False) -> None:
    """List the changes of the current publication: candidate, confirmed, not confirmed, contested."""
    if context.invoked_subcommand:
        return
    from expectations.history import changes

    found = changes.changes(Settings.from_environment())
    if as_json:
        _print_json([change.as_dict() for change in found])
    elif not found:
        typer.echo("no change of energy is a candidate, and none was rerun")
    else:
        _print_columns(
            ("change", "state", "what changed"), [(each.id, each.state, each.text) for each in found]
        )


ChangeId = Annotated[str, typer.Argument(metavar="CHANGE", help="Id of the change, or the beginning of it.")]


@changes_app.command("contest")
def contest_change(
    change: ChangeId,
    note: Annotated[str, typer.Option(help="Why what reruns say is doubtful; shown with the change.")],
    as_json: Json = False,
) -> None:
    """Contest what reruns say about a change. It is shown as contested, with the note and your name."""
    from expectations.history import changes

    entry = changes.contest(Settings.from_environment(), change, note=note, who=getpass.getuser())
    if as_json:
        _print_json(vars(entry))
    else:
        typer.echo(f"contested {entry.leaderboard_id}; run `jouleboard refresh` to publish it")


@changes_app.command("withdraw")
def withdraw_contest(
    change: ChangeId,
    note: Annotated[str | None, typer.Option(help="Why; kept with the withdrawal.")] = None,
    as_json: Json = False,
) -> None:
    """Withdraw the contest of a change: it is again what reruns say. Both entries are kept."""
    from expectations.history import changes

    entry = changes.withdraw(Settings.from_environment(), change, note=note, who=getpass.getuser())
    if as_json:
        _print_json(vars(entry))
    else:
        typer.echo(f"withdrew the contest of {entry.leaderboard_id}; run `jouleboard refresh` to publish it")


def _copy_to_database(settings: Settings) -> None:
    from expectations.exports import bring_up_to_date

    if line := bring_up_to_date(settings, _publication(settings, None)):
        _progress(_cell(line))


def _publication(settings: Settings, number: int | None) -> publications.Publication:
    if number is not None:
        return publications.read(settings, number)
    return publications.require_current(settings)


def _summary(item: publications.Publication, now: int | None) -> dict[str, Any]:
    return {**item.manifest["summary"], "current": item.number == now, "path": str(item.path)}


def _verdicts() -> dict[str, Any]:
    from expectations.refresh import judge_now

    return judge_now(Settings.from_environment())


def _verdict(verdict: Any) -> dict[str, Any]:
    return {
        "run_id": verdict.run_id,
        "state": _state(verdict),
        "accepted": verdict.accepted,
        "reasons": verdict.reasons,
        "superseded_by": verdict.superseded_by,
        "findings": [vars(finding) for finding in verdict.findings],
    }


def _state(verdict: Any) -> str:
    if verdict.superseded_by:
        return "replaced"
    if verdict.accepted:
        return "released" if verdict.release else "accepted"
    return "quarantined"


def _progress(line: str) -> None:
    typer.echo(line, err=True)


def _print_lines(*lines: str) -> None:
    for line in lines:
        typer.echo(_cell(line))


def _print_json(value: Any) -> None:
    typer.echo(json_text(value))


def _print_table(table: Table) -> None:
    _print_columns(table.columns, table.rows)
    typer.echo(f"({len(table.rows)} rows)", err=True)


def _print_columns(header: tuple[str, ...], rows: Any) -> None:
    """Left-aligned columns, as wide as their widest cell."""
    cells = [tuple(_cell(value) for value in row) for row in (header, *rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(header))]
    for row in cells:
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _cell(value: Any) -> str:
    """One printable line: control characters from data must not reach a terminal."""
    text = "" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)
    return "".join(char if char.isprintable() else "?" for char in text)
