"""Tables of text with wrong cells: how a method judges and corrects them, and the methods compared."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.ensemble import IsolationForest
from sklearn.metrics import average_precision_score
from threadpoolctl import threadpool_limits

from benchmarks import common, detection
from benchmarks.cell_peers import Coder
from benchmarks.detection import Floats
from benchmarks.tables import Mask
from benchmarks.wrong_cells import calibration
from diabolo import Autoencoder

NUMBERS = 0.9  # share of the values of a column that must be numbers to call it one of numbers
FAR = 3.5  # robust deviations: the limit of Iglewicz and Hoaglin, "How to detect and handle outliers", 1993
RARE = 0.01  # share of the cells below which a value or a form is called rare
RARER = (0.1, 0.3, 0.5, 0.7, 0.9)  # times the mean count of a column's values
DEVIATIONS = (1.0, 1.3, 1.5, 1.7, 2.0, 2.3, 2.5, 2.7, 3.0)
FOUND_AT_MOST = 0.1  # of a column; what a strategy finds in more of its cells is no error


@dataclass(frozen=True)
class Problem:
    """A table with wrong cells.

    Attributes:
        dirty: the table, all text.
        clean: the right texts, row by row under the same names.
        extra: (this problem, answer of a method) -> measures of one benchmark beyond those of all.
    """

    dirty: pd.DataFrame
    clean: pd.DataFrame
    extra: Callable[[Problem, Answer], dict[str, Any]]

    @property
    def wrong(self) -> Mask:
        """Return which cells are wrong: those where the two texts differ."""
        return np.asarray(self.dirty.to_numpy() != self.clean.to_numpy())


@dataclass(frozen=True)
class Answer:
    """What a method says about each cell.

    Attributes:
        evidence: (rows, columns), higher = more likely wrong.
        flagged: (rows, columns) the cells that the method calls wrong.
        p_wrong: (rows, columns) probabilities, if the method gives any.
        changes: () -> the corrected cells, a line each with row, column and new, if the method can.
    """

    evidence: Floats
    flagged: Mask
    p_wrong: Floats | None = None
    changes: Callable[[], pd.DataFrame] | None = None

    def without(self, cells: Mask) -> Answer:
        """Return the same answer, except that these cells are thought to be right."""
        return replace(
            self,
            evidence=np.where(cells, self.evidence.min(), self.evidence),
            flagged=self.flagged & ~cells,
            p_wrong=None if self.p_wrong is None else np.where(cells, 0.0, self.p_wrong),
        )


Method = Callable[[pd.DataFrame, int], Answer]
"""(table of text, seed) -> the answer; nothing but this table is known."""


def read(path: Path) -> pd.DataFrame:
    """Read a .csv or .csv.gz file as it is written: all cells are text, those without any are ''."""
    frame = pd.read_csv(
        path, dtype=str, keep_default_na=False, encoding="utf-8-sig", encoding_errors="replace"
    )
    return frame.reset_index(drop=True)


def run(
    options: common.Options,
    problems: Mapping[str, Callable[[int], Problem]],
    methods: Mapping[str, Method],
) -> list[dict[str, Any]]:
    """Measure diabolo and the peers on every problem and seed; one row each, failures included."""
    rows = []
    with threadpool_limits(1):
        for name, load in problems.items():
            for seed in range(options.seeds):
                for method in (common.OURS, *options.peers):
                    folder = options.scores and detection.raw_folder(options.scores, method)
                    work = partial(_run_method, name, load, methods[method], seed, folder)
                    rows.append(detection.attempt(method, name, seed, work))
    return rows


def _run_method(
    name: str, load: Callable[[int], Problem], method: Method, seed: int, folder: Path | None
) -> dict[str, Any]:
    problem = load(seed)
    answer, seconds = common.timed(method, problem.dirty, seed)
    shape = problem.dirty.shape
    if answer.evidence.shape != shape or not np.isfinite(answer.evidence).all():
        raise ValueError(f"expected a finite number for each cell of a table of shape {shape}")
    if folder is not None:
        common.keep_scores(folder, name, seed, answer.evidence, problem.wrong.astype(np.int8))
    measures = judge(problem.wrong, answer) | correct(problem, answer) | problem.extra(problem, answer)
    # The rows that the CPU seconds refer to: the fitted rows are the scored ones.
    return {"train": shape[0], "test": shape[0], **measures, "cpu_seconds": seconds}


def judge(wrong: Mask, answer: Answer) -> dict[str, float | None]:
    """Return how well wrong cells are ranked and flagged, and how good the probabilities are.

    Nothing flagged has precision 0. Where no cell is wrong, there is nothing to measure, and all are None.
    """
    hits, some = int((wrong & answer.flagged).sum()), bool(wrong.any())
    ratios = {
        "f1": 2 * hits / max(int(wrong.sum() + answer.flagged.sum()), 1),
        "precision": hits / max(int(answer.flagged.sum()), 1),
        "recall": hits / max(int(wrong.sum()), 1),
    }
    aupr = float(average_precision_score(wrong.ravel(), answer.evidence.ravel())) if some else None
    measures = {"aupr": aupr, **{name: ratio if some else None for name, ratio in ratios.items()}}
    if answer.p_wrong is not None:
        names = ("log_loss", "log_loss_base", "gap")
        trust = calibration(wrong.ravel(), answer.p_wrong.ravel())[0] if some else {}
        measures |= {name: trust.get(name) for name in names}
    return measures | {"error_rate_true": float(wrong.mean())}


def correct(problem: Problem, answer: Answer, ignored: Mask | None = None) -> dict[str, float | None]:
    """Return how many cells are corrected, which share gets the right text, and how many good ones change.

    Filling an empty cell is no correction. Nothing is returned for a method that corrects nothing.

    Args:
        problem: The table.
        answer: The answer for it.
        ignored: Cells whose corrections do not count.
    """
    if answer.changes is None:
        return {}
    changes = answer.changes()
    changes = changes[changes["why"] != "missing"]
    rows = changes["row"].to_numpy(dtype=int)
    columns = problem.dirty.columns.get_indexer(changes["column"])
    new = changes["new"].fillna("").astype(str).to_numpy(dtype=object)
    if ignored is not None:
        counted = ~ignored[rows, columns]
        rows, columns, new = rows[counted], columns[counted], new[counted]
    right = new == problem.clean.to_numpy(dtype=object)[rows, columns]
    return {
        "repairs": len(new),
        "repair_precision": float(right.mean()) if len(new) else None,
        "broken": int((~right & ~problem.wrong[rows, columns]).sum()),
    }


def ours(frame: pd.DataFrame, seed: int) -> Answer:
    """Judge and correct cells with the defaults of diabolo; a cell is called wrong where P(wrong) > .5."""
    model = Autoencoder(seed=seed).fit(frame)
    explanation = model.explain(frame, neighbours=0)
    # A column that is not scored has no evidence.
    p_wrong = pd.DataFrame(explanation.p_wrong, columns=explanation.names)
    p = p_wrong.reindex(columns=frame.columns, fill_value=0.0).to_numpy(dtype=np.float64)
    return Answer(p, p > 0.5, p, cache(lambda: model.repair(frame).changes))


def frequency(frame: pd.DataFrame, seed: int) -> Answer:
    """Score the rarity of a value and of its form, as log(1 / different ones) - log(share) each.

    A form that is in less than 1 % of the cells is called wrong, and a value that is, in a column where
    values occur ten times on average.
    """
    evidence, flagged = np.zeros(frame.shape), np.zeros(frame.shape, dtype=bool)
    for index, name in enumerate(frame):
        values, forms = frame[name], frame[name].map(form)
        parts = [Coder(part, False, 1).ratio(part) for part in (values, forms)]
        evidence[:, index] = np.add(*parts)
        repeats = values.nunique() <= len(frame) / 10
        flagged[:, index] = (shares(forms) < RARE) | (repeats & (shares(values) < RARE))
    return Answer(evidence, flagged)


def robust_z(frame: pd.DataFrame, seed: int) -> Answer:
    """Score numbers by their distance from the median in robust deviations; beyond 3.5 they are called wrong.

    Text in a column of numbers is further than any number; other columns and empty cells are not scored.
    """
    evidence = np.zeros(frame.shape)
    for index, name in enumerate(frame):
        numbers = as_numbers(frame[name])
        if numbers is not None:
            deviation = deviations(numbers)
            text = np.isnan(numbers) & (frame[name] != "").to_numpy()
            evidence[:, index] = np.where(text, max(np.nanmax(deviation), FAR) + 1, np.nan_to_num(deviation))
    return Answer(evidence, evidence > FAR)


def isolation_forest(frame: pd.DataFrame, seed: int) -> Answer:
    """Fit an isolation forest to the cells of each column, described by frequency, characters and size.

    A cell is called wrong from a score of .6 on, as in Liu, Ting and Zhou, ICDM 2008.
    """
    evidence = np.zeros(frame.shape)
    for index, name in enumerate(frame):
        column = frame[name]
        numbers, letters, digits = as_numbers(column), r"[^\W\d_]", r"\d"
        features = [np.log(shares(column)), np.log(shares(column.map(form))), column.str.len()]
        features += [column.str.count(pattern) for pattern in (letters, digits)]
        if numbers is not None:
            features.append(np.arcsinh(np.nan_to_num(numbers)))
        described = np.stack([np.asarray(feature, dtype=np.float64) for feature in features], 1)
        evidence[:, index] = -IsolationForest(random_state=seed).fit(described).score_samples(described)
    return Answer(evidence, evidence >= 0.6)


def strategies(frame: pd.DataFrame, seed: int) -> Answer:
    """Ask many simple detectors, as Raha does (Mahdavi et al., SIGMOD 2019), without its labels.

    The families are outliers (values, forms and lengths rarer than a share of the mean count; numbers and
    lengths more than some deviations off), patterns (each character), and rules (a value that is not the
    usual one beside the value of another column, for every pair). A strategy that flags more than a tenth
    of a column is dropped. The score is the share of strategies that flag a cell, mean over the families; a
    cell that two of the three families flag is called wrong.
    """
    codes = np.stack([pd.factorize(frame[name])[0] for name in frame], 1)
    evidence, flagged = np.zeros(frame.shape), np.zeros(frame.shape, dtype=bool)
    for index, name in enumerate(frame):
        families = [_outliers(frame[name]), _characters(frame[name]), _rules(codes, index)]
        scores = np.stack([_share_flagging(masks, len(frame)) for masks in families])
        evidence[:, index] = scores.mean(0)
        flagged[:, index] = (scores > 0).sum(0) >= 2
    return Answer(evidence, flagged)


def _share_flagging(masks: Sequence[Mask], rows: int) -> Floats:
    """Return for each cell of a column the share of the strategies that flag it."""
    kept = [mask for mask in masks if 0 < mask.mean() <= FOUND_AT_MOST]
    return np.mean(kept, axis=0) if kept else np.zeros(rows)


def _outliers(column: pd.Series) -> list[Mask]:
    lengths, numbers = column.str.len(), as_numbers(column)
    masks = []
    for part in (column, column.map(form), lengths):
        relative = shares(part) * part.nunique()
        masks += [relative < limit for limit in RARER]
    for values in (numbers, lengths.to_numpy(dtype=np.float64)):
        if values is not None and np.nanstd(values) > 0:
            off = np.abs(values - np.nanmean(values)) / np.nanstd(values)
            masks += [off > limit for limit in DEVIATIONS]
    return masks


def _characters(column: pd.Series) -> list[Mask]:
    alphabet = Counter(character for text in column for character in set(text))
    some = [character for character, n in alphabet.items() if n <= FOUND_AT_MOST * len(column)]
    return [column.str.contains(character, regex=False).to_numpy(dtype=bool) for character in some]


def _rules(codes: np.ndarray, index: int) -> list[Mask]:
    """Return for each other column where the value is not the most frequent one beside that column's."""
    masks, here = [], codes[:, index]
    for other in np.delete(codes, index, 1).T:
        pairs, inverse, counts = np.unique(
            other * (here.max() + 1) + here, return_inverse=True, return_counts=True
        )
        most = np.zeros(other.max() + 1, dtype=np.int64)
        np.maximum.at(most, pairs // (here.max() + 1), counts)
        masks.append(counts[inverse] < most[other])
    return masks


def as_numbers(column: pd.Series) -> Floats | None:
    """Return the numbers of a column of text, NaN where there is none; None if few of its values are."""
    values = pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    values = np.where(np.isfinite(values), values, np.nan)
    numeric, filled = np.isfinite(values).sum(), (column != "").sum()
    return values if numeric and numeric >= NUMBERS * filled else None


def deviations(numbers: Floats) -> Floats:
    """Return |x - median| in units of 1.4826 times its median, or 1.2533 times its mean if that is 0."""
    distance = np.abs(numbers - np.nanmedian(numbers))
    scale = 1.4826 * np.nanmedian(distance) or 1.2533 * np.nanmean(distance)
    return distance / scale if scale else distance


def form(text: str) -> str:
    """Return a text with letters as a or A and digits as 0, runs of them as one."""
    for pattern, letter in ((r"[^\W\d_A-Z]+", "a"), (r"[A-Z]+", "A"), (r"\d+", "0")):
        text = re.sub(pattern, letter, text)
    return text


def shares(column: pd.Series) -> Floats:
    """Return for each cell the share of the column's cells that have the same value."""
    return np.asarray(column.map(column.value_counts(normalize=True)), dtype=np.float64)


PEERS: dict[str, Method] = {
    "frequency": frequency,
    "robust_z": robust_z,
    "isolation_forest": isolation_forest,
    "strategies": strategies,
}
