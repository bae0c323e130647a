"""Runs side by side: how they ended, and in what they differ."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from diabolo.cli.output import show
from diabolo.errors import OptionError
from diabolo.tracking import RunRecord, best_of, runs

if TYPE_CHECKING:
    import pyarrow as pa

HOME = "runs"  # where runs are written down unless another place is named
LOSSES = ("total", "reconstruction", "kl", "held_out")


def find(where: str, names: Sequence[str]) -> tuple[list[RunRecord], tuple[str, ...]]:
    """The runs at a place, and the names that are asked for.

    A place that holds no runs may be the name of one: then it is looked for in the folder `runs`.

    Raises:
        OptionError: it is neither.
        DataError: a record cannot be read.
    """
    try:
        found, missing = runs(where), None
    except OptionError as error:
        found, missing = [], error
    if not found and Path(HOME).is_dir():
        others = runs(HOME)
        if any(where in _names(record) for record in others):
            return others, (where, *names)
        if missing is not None and others:
            known = ", ".join(sorted({record.run for record in others}))
            raise OptionError(f"{missing.message}, and no such run in {HOME}", hint=f"one of {known}")
    if missing is not None:
        raise missing
    return found, tuple(names)


def choose(records: Sequence[RunRecord], names: Sequence[str], project: str | None) -> list[RunRecord]:
    """The runs that are asked for: all versions of RUN, one as RUN/VERSION or as PROJECT/RUN/VERSION.

    Raises:
        OptionError: a name or the project is that of no run.
    """
    known = sorted({r.project for r in records})
    if project is not None and project not in known:
        raise OptionError(
            f"there is no run of project {project!r}", hint=f"one of {', '.join(known) or 'none'}"
        )
    chosen = [r for r in records if project in (None, r.project)]
    called = [(r, _names(r)) for r in chosen]
    for name in names:
        if not any(name in names_of for _, names_of in called):
            known = sorted({r.run for r in chosen})
            raise OptionError(f"there is no run {name!r}", hint=f"one of {', '.join(known) or 'none'}")
    return [r for r, names_of in called if not names or names_of & set(names)]


def _names(record: RunRecord) -> set[str]:
    return {record.run, f"{record.run}/{record.version}", record.name}


def differences(records: Sequence[RunRecord]) -> list[str]:
    """The names of the parameters that are not the same in all runs."""
    names = dict.fromkeys(name for r in records for name in r.parameters)
    return [n for n in names if len({_word(r.parameters.get(n)) for r in records}) > 1]


def to_table(records: Sequence[RunRecord]) -> pa.Table:
    """A row for each member of each run: losses of the weights that were kept, and the last ones."""
    import pyarrow as pa

    differ = differences(records)
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
            **{name: _word(record.parameters.get(name)) for name in differ},
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


def show_runs(records: Sequence[RunRecord]) -> None:
    """Print the runs on a terminal: how they ended, their losses, and in what they differ."""
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
            **{name: _both(best.get(name), last.get(name)) for name in LOSSES},
        }
        for number, record in numbered
        for member, best, last in _members(record)
    ]
    differ = differences(records)
    values = {(n, name): _cut(_word(r.parameters.get(name))) for n, r in numbered for name in differ}
    if len(differ) <= len(records):
        changes: list[dict[str, Any]] = [
            {"#": n} | {name: values[n, name] for name in differ} for n, _ in numbered
        ]
    else:
        changes = [{"parameter": name} | {f"#{n}": values[n, name] for n, _ in numbered} for name in differ]
    _show("runs", runs)
    _show("losses: of the weights that were kept / of the last ones", losses)
    if differ:
        _show("parameters that differ", changes)


def _show(title: str, rows: list[dict[str, Any]]) -> None:
    import pyarrow as pa

    show(pa.Table.from_pylist(rows), title)
    print()


def _members(record: RunRecord) -> Iterator[tuple[str | None, dict[str, Any], dict[str, Any]]]:
    """Each member with the line of its kept weights and its last one; a run that has none yet counts too."""
    if not record.history:
        yield None, {}, {}
    for member, lines in record.lines().items():
        yield member, best_of(lines), lines[-1]


def _both(kept: float | None, last: float | None) -> str | None:
    found = dict.fromkeys(f"{value:.4g}" for value in (kept, last) if value is not None)
    return " / ".join(found) or None


def _cut(text: str | None) -> str | None:
    return text if text is None or len(text) <= 40 else f"{text[:39]}…"


def _word(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    # 60 epochs in a file are 60.0 on the command line.
    return json.dumps(int(value) if isinstance(value, float) and value.is_integer() else value)
