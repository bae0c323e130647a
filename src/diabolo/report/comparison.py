"""The page that holds new rows against real ones: what differs, what a judge sees, what is given away."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from diabolo import tasks
from diabolo.data.columns import Datetime
from diabolo.data.sources import read_user_table
from diabolo.engine import Engine
from diabolo.evaluation import MISSING, PrivacyReport, is_number, row_count
from diabolo.report.drawing import comparison_charts as spreads
from diabolo.report.drawing.svg import moment
from diabolo.report.formatting import clipped, count, percent, several, shown
from diabolo.report.page import write_page
from diabolo.report.report import digest
from diabolo.tasks import Comparison
from diabolo.version import __version__

DRAWN = 60  # columns that are drawn
SQUARES = 40  # columns of the matrix of pairs
PAIRS = 10  # of the least alike pairs that are named
LOOKED = 0.003  # AUROC that a column is worth, to be named
SUSPECTS, SEEN = 5, 6  # rows that the judge is surest of, and columns of them that are shown
GUESS = 0.55  # an AUROC or share up to which hardly anything is told
GRADES = (  # AUROC of the judge below, and what that means
    (0.53, "as good as tossing a coin"),
    (0.6, "a little better than tossing a coin"),
    (0.75, "clearly better than tossing a coin"),
    (0.9, "new rows give themselves away more often than not"),
    (1.0, "new rows can be told from real ones"),
)
BEYOND = 0.03  # by which a share may exceed that of unseen rows without a warning


def write_comparison(
    model: Any, data: Any, path: str | Path, *, synthetic: Any, unseen: Any = None, command: str | None = None
) -> Path:
    """Write a page that holds new rows against real ones: one HTML file that needs no network.

    Args:
        model: a fitted model.
        data: the rows of the fit.
        path: where to.
        synthetic: the new rows, whoever made them.
        unseen: real rows that are not among those of the fit.
        command: the command line to show for doing it again; without it, the lines of Python.

    Returns:
        the path.

    Raises:
        MissingExtraError: jinja2 is not installed.
        UnsupportedError: the model is one of a series or of pictures.
        DataError: a table cannot be read, or is too small; or the file cannot be written.
    """
    tables = {"the data": data, "the new rows": synthetic} | (
        {} if unseen is None else {"unseen rows": unseen}
    )
    natives = {name: read_user_table(part) for name, part in tables.items()}
    found = tasks.compare(
        model, natives["the data"], synthetic=natives["the new rows"], unseen=natives.get("unseen rows")
    )
    engine = model.engine_
    more = "" if unseen is None else ", unseen=unseen"
    lines = f"model = {model!r}.fit(data)\nmodel.report(data, {Path(path).name!r}, synthetic=rows{more})"
    return write_page(
        Path(path),
        "comparison",
        name=clipped(Path(synthetic).name) if isinstance(synthetic, str | Path) else "",
        verdict=verdict(found.discriminator.auroc),
        size=_size(found),
        figures=figures(found),
        against=found.against,
        judged=[count(rows) for rows in found.discriminator.n_rows],
        chance=found.discriminator.auroc <= GUESS,
        looked=looked_at(found),
        suspects=suspects(engine, found),
        columns=columns(engine, found),
        left_out=max(len(found.real) - DRAWN, 0),
        matrix=spreads.matrix(
            "pairs", list(found.real)[:SQUARES], found.column_similarity, found.pair_similarity
        ),
        grades=spreads.GRADES,
        pairs=worst_pairs(found),
        privacy=privacy(found.privacy),
        concerns=concerns(found.privacy),
        caveats=caveats(engine, found, natives),
        command=(command or lines)[:2000],
        facts=[
            *((f"SHA-256 of {name}", digest(user_table)) for name, user_table in natives.items()),
            ("diabolo", __version__),
            ("python", platform.python_version()),
        ],
    )


def verdict(auroc: float) -> str:
    """The judge's score as a sentence.

    Example:
        >>> verdict(0.514)
        'Of a real row and a new one, a judge picks the new one in 51 % of cases: as good as tossing a coin.'
    """
    words = next((words for limit, words in GRADES if auroc < limit), GRADES[-1][1])
    return f"Of a real row and a new one, a judge picks the new one in {percent(auroc)} of cases: {words}."


def _size(found: Comparison) -> str:
    parts = [several(row_count(found.synthetic), "new row"), f"{count(row_count(found.real))} of the fit"]
    return f"{', '.join(parts)}, {several(len(found.real), 'column')}"


def figures(found: Comparison) -> list[tuple[str, str, str]]:
    """(label, value, remark): the numbers to know first."""
    known = found.figures

    def beside(name: str, words: str) -> str:
        return f"{percent(known[name])} for unseen rows; {words}" if name in known else words

    return [
        ("Judge", f"{known['discriminator_auroc']:.3f}", "AUROC; .5: new rows cannot be told from real ones"),
        (
            "Columns one by one",
            percent(known["column_similarity"]),
            beside("column_similarity_real", "100 %: alike"),
        ),
        (
            "Columns in pairs",
            percent(known["pair_similarity"]),
            beside("pair_similarity_real", "100 %: alike"),
        ),
        (
            "Copies",
            percent(known["copies"]),
            f"of unseen rows {percent(known['copies_real'])}"
            if "copies_real" in known
            else "of the new rows",
        ),
    ]


@dataclass(frozen=True)
class Looked:
    """A column that the judge needs: the share of its AUROC that is lost without it, in hundredths."""

    column: str
    points: float
    share: float


def looked_at(found: Comparison) -> list[Looked]:
    """The columns that the judge needs most."""
    worth = sorted(found.discriminator.importances.items(), key=lambda item: -item[1])[:PAIRS]
    most = max((v for _, v in worth), default=0)
    return [Looked(clipped(name, 40), 100 * v, v / most) for name, v in worth if v >= LOOKED]


@dataclass(frozen=True)
class Suspects:
    """The new rows that the judge is surest of: names of columns, and a row of values for each."""

    columns: list[str]
    rows: list[tuple[str, str, list[str | None]]]


def suspects(engine: Engine, found: Comparison) -> Suspects:
    """The rows that gave themselves away, in the columns that the judge looks at most."""
    names = sorted(found.real, key=lambda name: -found.discriminator.importances[name])[:SEEN]
    surest = np.argsort(-found.discriminator.probabilities, kind="stable")[:SUSPECTS]
    rows = []
    for at in surest.tolist():
        row = int(found.discriminator.rows[at])
        values = [_said(engine, name, found.synthetic[name][row]) for name in names]
        rows.append((f"row {row:,}", percent(float(found.discriminator.probabilities[at])), values))
    return Suspects([clipped(name, 30) for name in names], rows)


def _said(engine: Engine, name: str, value: Any) -> str | None:
    if isinstance(value, float):
        if np.isnan(value):
            return None
        return moment(value) if isinstance(engine.schema[name], Datetime) else shown(value)
    return None if value == MISSING else clipped(str(value), 30)


@dataclass(frozen=True)
class Compared:
    """A column of both tables."""

    name: str
    alike: str
    missing: str
    picture: str


def columns(engine: Engine, found: Comparison) -> list[Compared]:
    """The columns, the least alike first."""
    made = []
    order = sorted(found.real, key=lambda name: found.column_similarity[name])[:DRAWN]
    for number, name in enumerate(order):
        one, two = found.real[name], found.synthetic[name]
        gone = [np.isnan(part) if is_number(part) else part == MISSING for part in (one, two)]
        missing = ""
        if gone[0].any() or gone[1].any():
            missing = f"missing: {percent(gone[0].mean())} real, {percent(gone[1].mean())} new"
        title = f"{clipped(name, 40)}: real and new values"
        if is_number(one):
            dates = isinstance(engine.schema[name], Datetime)
            picture = spreads.numbers(f"c{number}", one[~gone[0]], two[~gone[1]], dates=dates, title=title)
        else:
            picture = spreads.labels(f"c{number}", one, two, title=title)
        made.append(Compared(clipped(name, 40), percent(found.column_similarity[name]), missing, picture))
    return made


def worst_pairs(found: Comparison) -> list[tuple[str, str, str]]:
    """(column, column, how alike they go together), the least alike first."""
    worst = sorted(found.pair_similarity.items(), key=lambda item: item[1])[:PAIRS]
    return [(clipped(one, 40), clipped(two, 40), percent(value)) for (one, two), value in worst]


@dataclass(frozen=True)
class Line:
    """A question of privacy, answered for new rows and for unseen real ones."""

    question: str
    new: str
    real: str


def privacy(found: PrivacyReport) -> list[Line]:
    """What the new rows give away, in plain words."""

    def said(value: float | None) -> str:
        return "–" if value is None else percent(value)

    def distance(value: float | None) -> str:
        return "–" if value is None else f"{value:.2f}"

    lines = [
        Line("How many rows stand in the data just like that?", said(found.copies), said(found.copies_real)),
        Line(
            "How far is it to the nearest row of the fit? (median; a column counts up to 1)",
            distance(found.distance_to_closest),
            distance(found.distance_to_closest_real),
        ),
        Line(
            f"An attacker knows all of a row but {clipped(found.target, 40)}, and takes it from the nearest "
            "new row: how often is that right, of rows of the fit, and of rows that were never seen?",
            said(found.attribute_accuracy),
            said(found.attribute_accuracy_real),
        ),
    ]
    if found.closer_to_fit is not None and found.membership_auroc is not None:
        lines += [
            Line(
                "How many new rows are nearer to a row of the fit than to any of as many unseen ones?",
                said(found.closer_to_fit),
                "50 % tells nothing",
            ),
            Line(
                "An attacker has a row of the fit and another one, and takes the one nearer to a new row for "
                "that of the fit: how often is that right?",
                said(found.membership_auroc),
                "50 % tells nothing",
            ),
        ]
    return lines


def concerns(found: PrivacyReport) -> list[str]:
    """What should make one think, in sentences; none if the figures give no reason."""
    said = []
    if found.copies > (found.copies_real or 0) + BEYOND / 3:
        said.append(
            f"{percent(found.copies)} of the new rows are copies of rows of the fit; "
            f"{_usual(found.copies_real)}."
        )
    if found.closer_to_fit is not None and found.closer_to_fit > GUESS:
        said.append("New rows are nearer to rows of the fit than chance has it: they follow them closely.")
    if found.membership_auroc is not None and found.membership_auroc > GUESS:
        said.append("Who was in the data can be told from the new rows better than by chance.")
    if (
        found.attribute_accuracy_real is not None
        and found.attribute_accuracy > found.attribute_accuracy_real + BEYOND
    ):
        said.append(
            f"{found.target} is guessed more often right of rows of the fit than of others: something of "
            "single rows came through."
        )
    return said


def _usual(real: float | None) -> str:
    return "what is usual is not known" if real is None else f"of unseen real rows {percent(real)} are"


def caveats(engine: Engine, found: Comparison, natives: dict[str, Any]) -> list[str]:
    """What a reader should know before believing the page."""
    said = [
        "All figures of privacy are averages. They do not say that no single, unusual row leaves a trace, "
        "and nothing here is a guarantee of differential privacy. Rare labels and extreme numbers of the "
        "data occur in new rows; min_count and clip keep them out of the model.",
        "This judge, boosted trees, learnt from half of "
        f"{' and '.join(map(count, found.discriminator.n_rows))} rows: one that sees more may find more.",
    ]
    if found.against == "fitted":
        said.append(
            "There were no unseen rows: the judge was shown rows of the fit, and what is usual among real "
            "rows is not known. Give --unseen FILE, or unseen=, for an honest comparison."
        )
    elif found.figures["column_similarity_real"] < found.figures["column_similarity"] and _fewer(found):
        said.append(
            "Unseen rows are fewer than new ones, so that their columns and pairs agree less by chance alone."
        )
    known = _known(engine, natives["the data"])
    if known is not None and known < 0.9:
        said.append(
            f"Only {percent(known)} of the data are rows that the model was fitted on; what is given away "
            "was asked of all of them."
        )
    if "unseen rows" in natives and (known := _known(engine, natives["unseen rows"])) and known > BEYOND:
        said.append(f"{percent(known)} of the unseen rows stand in the data of the fit just like that.")
    unread = [clipped(e.name, 40) for e in engine.schema.entries if e.role == "ignored"]
    if unread:
        said.append(f"Not compared, as the model does not read them: {', '.join(unread[:10])}.")
    return said


def _fewer(found: Comparison) -> bool:
    return found.discriminator.n_rows[0] < row_count(found.synthetic)


def _known(engine: Engine, user_table: Any) -> float | None:
    """The share of rows that the fit has seen; None if the model does not know them again."""
    if engine.seen_rows is None:
        return None
    frame = engine.read(user_table)
    parts: Sequence[np.ndarray] = [engine.contains(codes) for _, codes in engine.chunks(frame)]
    return float(np.concatenate(parts).mean())
