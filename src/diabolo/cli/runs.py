"""The command `runs`: the status and losses of recorded runs, and the parameters that differ."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from diabolo.cli.arguments import Json, Output
from diabolo.cli.output import check_format, print_table, write_answer
from diabolo.errors import OptionError, need
from diabolo.tracking import RunRecord, best_line, runs

if TYPE_CHECKING:
    import pyarrow as pa
    from cyclopts import Parameter
else:
    Parameter = need("cyclopts", "cli").Parameter

DEFAULT_FOLDER = "runs"  # where `Autoencoder` records runs unless `track` names another place
MAX_SHOWN_CHARS = 40  # of a parameter on a terminal; a choice
LOSSES = ("total", "reconstruction", "kl", "held_out")


def list_runs(
    where: Annotated[str, Parameter(name="DIR")] = "runs",
    names: Annotated[tuple[str, ...], Parameter(name="NAMES")] = (),
    /,
    *,
    project: str | None = None,
    output: Output = None,
    json: Json = False,
) -> None:
    """List recorded runs, their losses, and the parameters in which they differ.

    Args:
        where: A folder of runs, tensorboard:FOLDER or mlflow:ADDRESS; or the name of a run in the folder
            runs.
        names: The runs to list: RUN, RUN/VERSION or PROJECT/RUN/VERSION. Without any, all of them.
        project: List only the runs of this project.
    """
    check_format(output)
    selected = select_runs(*find_runs(where, names), project)
    if output is None and not json and sys.stdout.isatty():
        print_runs(selected)
    else:
        write_answer(to_table(selected), output, json)


def find_runs(where: str, names: Sequence[str]) -> tuple[list[RunRecord], tuple[str, ...]]:
    """Return the runs at a location, and the names to select.

    A location that holds no runs may be the name of a run; it is then looked up in the folder `runs`.

    Args:
        where: a location as `track` takes it, or the name of a run.
        names: the names to select, as they were typed.

    Raises:
        OptionError: `where` is neither a location nor the name of a run.
        DataError: a record cannot be read.
    """
    try:
        found, missing = runs(where), None
    except OptionError as error:
        found, missing = [], error
    if not found and Path(DEFAULT_FOLDER).is_dir():
        others = runs(DEFAULT_FOLDER)
        if any(where in _names(record) for record in others):
            return others, (where, *names)
        if missing is not None and others:
            known = ", ".join(sorted({record.run for record in others}))
            raise OptionError(
                f"{missing.message}, and no run of this name in {DEFAULT_FOLDER}", hint=f"one of {known}"
            )
    if missing is not None:
        raise missing
    return found, tuple(names)


def select_runs(records: Sequence[RunRecord], names: Sequence[str], project: str | None) -> list[RunRecord]:
    """Return the runs of the given names and project.

    Args:
        records: the runs to select from.
        names: RUN for all its versions, RUN/VERSION or PROJECT/RUN/VERSION; none for all runs.
        project: select only runs of this project; None for all projects.

    Raises:
        OptionError: no run has such a name or project.
    """
    known = sorted({r.project for r in records})
    if project is not None and project not in known:
        raise OptionError(
            f"there is no run of project {project!r}", hint=f"one of {', '.join(known) or 'none'}"
        )
    chosen = [r for r in records if project in (None, r.project)]
    named = [(r, _names(r)) for r in chosen]
    for name in names:
        if not any(name in names_of_run for _, names_of_run in named):
            known = sorted({r.run for r in chosen})
            raise OptionError(f"there is no run {name!r}", hint=f"one of {', '.join(known) or 'none'}")
    return [r for r, names_of_run in named if not names or names_of_run & set(names)]


def _names(record: RunRecord) -> set[str]:
    return {record.run, f"{record.run}/{record.version}", record.name}


def differing_parameters(records: Sequence[RunRecord]) -> list[str]:
    """Return the names of the parameters whose values are not the same in all runs."""
    names = dict.fromkeys(name for r in records for name in r.parameters)
    return [n for n in names if len({_parameter_text(r.parameters.get(n)) for r in records}) > 1]


def to_table(records: Sequence[RunRecord]) -> pa.Table:
    """Return a row for each member of each run: the losses of the kept weights, and the last losses."""
    import pyarrow as pa

    differ = differing_parameters(records)
    rows = [
        {
            "project": record.project,
            "run": record.run,
            "version": record.version,
            "status": record.status,
            "when": record.began.replace(microsecond=0),
            "seconds": record.seconds,
            "member": member,
            "steps": last.get("step"),
            **{name: best.get(name) for name in LOSSES},
            **{f"last_{name}": last.get(name) for name in LOSSES},
            **{name: _parameter_text(record.parameters.get(name)) for name in differ},
        }
        for record in records
        for member, best, last in _members(record)
    ]
    texts = ("project", "run", "status", "member", *differ)
    kinds = {name: pa.string() for name in texts} | {"version": pa.int64(), "steps": pa.int64()}
    kinds["when"] = pa.timestamp("s", "UTC")
    losses = [*LOSSES, *(f"last_{name}" for name in LOSSES)]
    order = ["project", "run", "version", "status", "when", "seconds", "member", "steps", *losses, *differ]
    return pa.Table.from_pylist(rows, pa.schema([(name, kinds.get(name, pa.float64())) for name in order]))


def print_runs(records: Sequence[RunRecord]) -> None:
    """Print the runs on a terminal: their status, their losses, and the parameters that differ."""
    if not records:
        print("no runs")
        return
    numbered = list(enumerate(records, 1))
    runs = [
        {
            "#": number,
            "project": record.project,
            "run": record.run,
            "version": record.version,
            "status": record.status,
            "when": f"{record.began.astimezone():%Y-%m-%d %H:%M}",
            "seconds": None if record.seconds is None else round(record.seconds, 1),
        }
        for number, record in numbered
    ]
    losses = [
        {
            "#": number,
            "member": member,
            "steps": last.get("step"),
            **{name: _format_losses(best.get(name), last.get(name)) for name in LOSSES},
        }
        for number, record in numbered
        for member, best, last in _members(record)
    ]
    differ = differing_parameters(records)
    values = {
        (n, name): _shorten(_parameter_text(r.parameters.get(name))) for n, r in numbered for name in differ
    }
    if len(differ) <= len(records):
        changes: list[dict[str, Any]] = [
            {"#": n} | {name: values[n, name] for name in differ} for n, _ in numbered
        ]
    else:
        changes = [{"parameter": name} | {f"#{n}": values[n, name] for n, _ in numbered} for name in differ]
    _print_rows("runs", runs)
    _print_rows("losses: of the kept weights / of the last weights", losses)
    if differ:
        _print_rows("parameters that differ", changes)


def _print_rows(title: str, rows: list[dict[str, Any]]) -> None:
    import pyarrow as pa

    print_table(pa.Table.from_pylist(rows), title)
    print()


def _members(record: RunRecord) -> Iterator[tuple[str | None, dict[str, Any], dict[str, Any]]]:
    """Yield each member with the history line of its kept weights and its last line, empty if none."""
    if not record.history:
        yield None, {}, {}
    for member, lines in record.lines().items():
        yield member, best_line(lines), lines[-1]


def _format_losses(kept: float | None, last: float | None) -> str | None:
    found = dict.fromkeys(f"{value:.4g}" for value in (kept, last) if value is not None)
    return " / ".join(found) or None


def _shorten(text: str | None) -> str | None:
    return text if text is None or len(text) <= MAX_SHOWN_CHARS else f"{text[: MAX_SHOWN_CHARS - 1]}…"


def _parameter_text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    # 60 epochs in a file are 60.0 on the command line.
    return json.dumps(int(value) if isinstance(value, float) and value.is_integer() else value)
