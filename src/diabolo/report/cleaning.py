"""The suspicious cells of a table, column by column, with their right values where these are known."""

from __future__ import annotations

import json
import re
import shlex
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from diabolo.cleaning.joining import UNEXPECTED, JudgedCells
from diabolo.data.columns.convert import plain_type
from diabolo.report.formatting import count, count_of, percent
from diabolo.report.view import View
from diabolo.tasks.base import to_values
from diabolo.tasks.repair import SURE, judge_rows, to_texts
from diabolo.utils.sampling import evenly_spaced
from diabolo.utils.text import shorten

MAX_ROWS = 20_000  # that are checked: a choice
MAX_COLUMNS = 40  # with a list of their cells: a choice
MAX_CELLS, LEAST_CELLS, MOST_CELLS = 1_000, 10, 200  # that are listed: in all, and of one column; a choice
MAX_CHARACTERS = 400  # of a value that can be corrected in a page; a choice
MAX_REASON = 100  # characters; a choice
LINE_CHARACTERS = 26  # of a correction, in a line of its field
N_SHOWN = 8  # cells of a column that are shown before the others are asked for; a choice
ACCEPTED_FILE, CORRECTED_FILE = "accepted.csv", "corrected.csv"
REASON_KINDS = (
    (r"typo of .*", "typo of another value"),
    (r"(1/)?[\d,]+ (times|of) what is expected", "a power of ten times what is expected"),
    (r"(negative|positive), though .*", "wrong sign"),
    (r"(a wrong|one) digit.*", "wrong digit"),
    (r"a code for a missing value.*", "code for a missing value"),
    (r"written (with|without) .*", "written unlike the rest of the column"),
    (r"(.*) is off by .*", r"\1 does not hold"),
    (r"(above|below) .*", "not in the order of two columns"),
    (r"comes with anything.*", "does not follow from other columns as the rest of the column does"),
    (r"(.* )?comes with .*", "contradicts another column"),
)
"""What reasons are like, and what the kind of them is called."""


@dataclass(frozen=True)
class SuspectCell:
    """A cell that is probably wrong.

    Attributes:
        row: its number, counted from 0.
        old: its value, exactly, as JSON.
        observed: the same, as it is shown.
        new: the right value; None if it is not known.
        exact: the same as JSON, if a field of a form would change it; else empty.
        why: what is wrong with it.
        p_wrong: the probability that it is wrong, as text.
        sure: whether the right value is known well enough for `repair` to write it.
    """

    row: int
    old: str
    observed: str
    new: str | None
    exact: str
    why: str
    p_wrong: str
    sure: bool

    @property
    def lines(self) -> int:
        """How many lines the field for the right value has."""
        return -(-len(self.new or self.observed) // LINE_CHARACTERS)


@dataclass(frozen=True)
class SuspectColumn:
    """The suspicious cells of a column.

    Attributes:
        name: of the column.
        title: the same, as it is shown.
        total: how many cells are suspicious.
        reasons: (kind of reason, cells), the most frequent first.
        cells: those that are listed, the most probably wrong first.
    """

    name: str
    title: str
    total: int
    reasons: list[tuple[str, int]]
    cells: list[SuspectCell]

    @property
    def left_out(self) -> int:
        """The number of suspicious cells that are not listed."""
        return self.total - len(self.cells)


@dataclass(frozen=True)
class Cleaning:
    """The section on suspicious cells.

    Attributes:
        summary: how many cells are suspicious, in one sentence.
        notes: what was not checked or is not listed, as sentences.
        columns: those with suspicious cells, the most of them first.
        command: how accepted corrections are made.
    """

    summary: str
    notes: list[str]
    columns: list[SuspectColumn]
    command: str
    file: str = ACCEPTED_FILE
    shown: int = N_SHOWN

    @property
    def total(self) -> int:
        """The number of suspicious cells of the columns that are listed."""
        return sum(column.total for column in self.columns)

    @property
    def headline(self) -> str:
        """How many cells are suspicious, in a short sentence for the head of the page."""
        if self.total == 1:
            return "One cell is probably wrong."
        return f"{count(self.total)} cells are probably wrong."


def cleaning(view: View, name: str, command: str | None) -> Cleaning | None:
    """Return what is wrong in the cells of a table; None for data whose cells are not checked.

    Args:
        view: the data.
        name: the name of its file; empty if it is not a file.
        command: the command line that wrote the report; None for Python.
    """
    engine, total = view.engine, view.user_table.rows
    if engine.table_errors is None:
        return None
    rows = evenly_spaced(total, MAX_ROWS)
    judged = judge_rows(engine, view.frame, rows)
    wrong = judged.p_wrong >= UNEXPECTED
    counts = wrong.sum(0)
    order = [at for at in np.argsort(-counts, kind="stable").tolist() if counts[at]]
    most = min(max(MAX_CELLS // max(len(order[:MAX_COLUMNS]), 1), LEAST_CELLS), MOST_CELLS)
    columns = [_column(view, judged, rows, at, most) for at in order[:MAX_COLUMNS]]
    notes = []
    if len(rows) < total:
        notes.append(f"{count(len(rows))} of the {count(total)} rows were checked, evenly spaced.")
    if rest := order[MAX_COLUMNS:]:
        notes.append(
            f"The {count_of(int(counts[rest].sum()), 'suspicious cell')} of {count_of(len(rest), 'column')} "
            "with few of them are not listed."
        )
    checked = len(rows) * len(judged.names)
    return Cleaning(_summary(judged, wrong, checked), notes, columns, repair_command(command, name))


def _summary(judged: JudgedCells, wrong: np.ndarray, checked: int) -> str:
    """Return how many cells are suspicious, in one sentence."""
    found = int(wrong.sum())
    if not found:
        return f"No suspicious cells: of the {count(checked)} cells, none is probably wrong."
    sure = int(sum((judged.sure(n, SURE) & wrong[:, at]).sum() for at, n in enumerate(judged.names)))
    verb = "is" if found == 1 else "are"
    return (
        f"{count(found)} of the {count(checked)} cells {verb} probably wrong ({percent(found / checked)}); "
        f"the right value is known well enough for {count(sure) if sure else 'none'} of them."
    )


def _column(view: View, judged: JudgedCells, rows: np.ndarray, at: int, most: int) -> SuspectColumn:
    """Return the suspicious cells of the column number `at`, of which at most some are listed."""
    name = judged.names[at]
    p_wrong, why = judged.p_wrong[:, at], judged.reasons(name)
    suspects = np.flatnonzero(p_wrong >= UNEXPECTED)
    kinds = Counter(reason_kind(why[place] or "") for place in suspects.tolist())
    order = np.lexsort((suspects, -np.round(p_wrong[suspects], 3)))
    listed = suspects[order][:most]
    values = view.columns[name]
    column = view.engine.schema[name]
    old = to_texts(column, values.take(pa.array(rows[listed])))
    new: list[str | None] = [None] * len(listed)
    if name in judged.verdicts:
        suggestions = judged.verdicts[name].suggestions[listed]
        right = to_values(suggestions, np.ones(len(listed), bool), plain_type(values.type))
        new = to_texts(column, right)
    sure = judged.sure(name, SURE)[listed]
    cells = [
        _cell(int(rows[place]), old[i], new[i], why[place] or "", float(p_wrong[place]), bool(sure[i]))
        for i, place in enumerate(listed.tolist())
    ]
    return SuspectColumn(
        name,
        shorten(name, 40),
        len(suspects),
        kinds.most_common(),
        [cell for cell in cells if cell is not None],
    )


def _cell(
    row: int, old: str | None, new: str | None, why: str, p_wrong: float, sure: bool
) -> SuspectCell | None:
    """Return a cell of the list; None for one that is too long for it."""
    if max(len(old or ""), len(new or "")) > MAX_CHARACTERS:
        return None
    # A field of a form holds one line, and no page a null character.
    exact = json.dumps(new) if new is not None and not new.isprintable() else ""
    shown = None if new is None else "".join(c if c.isprintable() else " " for c in new)
    p = "> 99 %" if p_wrong > 0.994 else percent(p_wrong)
    observed = shorten(old or "", MAX_CHARACTERS)
    return SuspectCell(
        row,
        json.dumps(old or ""),
        observed,
        shown,
        exact,
        shorten(why, MAX_REASON),
        p,
        sure and new is not None,
    )


def reason_kind(why: str) -> str:
    """Return the kind of a reason: what reasons have in common that differ in a value or a number.

    Args:
        why: the reason.

    Example:
        >>> reason_kind("typo of 'birmingham'"), reason_kind("stands for a missing value")
        ('typo of another value', 'stands for a missing value')
    """
    for pattern, kind in REASON_KINDS:
        if found := re.fullmatch(pattern, why, re.DOTALL):
            return shorten(found.expand(kind), 80)
    general = re.sub(r"'[^']*'|\"[^\"]*\"", "…", why)
    return shorten(re.sub(r"(?<!\w)[-+]?\d[\d,.]*( ?%)?", "…", general), 80)


def repair_command(command: str | None, name: str) -> str:
    """Return the command that makes accepted corrections, as far as it is known.

    Args:
        command: the command line that wrote the report; None for Python.
        name: the name of the data's file; empty if it is not a file.

    Example:
        >>> repair_command("diabolo report a.csv -m a.diabolo -o a.html", "")
        'diabolo repair a.csv -m a.diabolo --accepted accepted.csv -o corrected.csv'
        >>> repair_command(None, "a.csv")
        "model.repair('a.csv', accepted='accepted.csv').to_frame()"
    """
    words = _words(command)
    if words[:2] == ["diabolo", "report"]:
        data, model = _data_and_model(words[2:])
        if data and model:
            options = ["-m", model, "--accepted", ACCEPTED_FILE, "-o", CORRECTED_FILE]
            return shlex.join(["diabolo", "repair", data, *options])
    data = repr(name) if name else "data"
    return f"model.repair({data}, accepted={ACCEPTED_FILE!r}).to_frame()"


def _words(command: str | None) -> list[str]:
    try:
        return shlex.split(command or "")
    except ValueError:
        return []


def _data_and_model(words: Sequence[str]) -> tuple[str, str]:
    """Return the data and the model that the words of `diabolo report` name; empty where they name none."""
    data, model, rest = "", "", iter(words)
    for word in rest:
        option, equals, value = word.partition("=")
        if option in ("-q", "--quiet"):
            continue
        if option.startswith("-") and option != "-":
            value = value if equals else next(rest, "")
            model = value if option in ("-m", "--model") else model
            data = value if option == "--data" else data
        elif not data:
            data = word
    return data, model
