"""Which cells of a table are wrong, in which way, and what the right value is."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa

from diabolo.cleaning.artefacts import find_artefact
from diabolo.cleaning.numbers.errors import MAX_ROWS as MAX_NUMBERS
from diabolo.cleaning.numbers.errors import N_FOLDS, NumberErrors
from diabolo.cleaning.reading import (
    CheckedColumn,
    ColumnKind,
    as_type,
    inner_number,
    read_columns,
    row_hashes,
)
from diabolo.cleaning.rules.base import Rule
from diabolo.cleaning.rules.kinds import rule_from_json
from diabolo.cleaning.rules.search import find_rules
from diabolo.cleaning.rules.verdicts import judge_rules
from diabolo.cleaning.texts.errors import TextErrors
from diabolo.cleaning.texts.text_table import TextTable
from diabolo.cleaning.texts.values import CENSORED, MISSING_WORDS
from diabolo.cleaning.verdicts import Verdicts
from diabolo.data.columns.convert import plain_type
from diabolo.utils.checks import is_text_list, require
from diabolo.utils.files import select_prefix
from diabolo.utils.sampling import evenly_spaced

MAX_COLUMNS = 200  # that are checked, so that wide tables take no longer: the first ones
MAX_ROWS = 20_000  # rows of the fit that are remembered
P_NO_NUMBER = 0.98  # of a text in a column of numbers
P_ARTEFACT = 0.95  # of a text with a trace of a program
P_MISSING_WORD, MAX_MISSING_WORDS = 0.9, 0.05  # of a word for a missing value, where at most so many have one
SURE = 0.95  # confidence in a number without its unit
USUAL_FORM, MAX_FORM = 0.5, 40  # share of the values that have a form, and characters of it
MAX_ARTEFACTS = 0.05  # share of a column's values with traces, up to which they are errors

RIGHT_STEPS = 255  # in which the probability that a cell is right is kept


@dataclass(frozen=True)
class TableErrors:
    """Evidence that cells of a table are wrong.

    Attributes:
        kinds: column -> how it is judged.
        types: column -> its arrow type in the fit, in which it is read.
        texts: of columns of texts.
        numbers: of columns of numbers; None without any.
        hashes: (rows,) of the remembered rows of the fit.
        missing_words: columns in which words for a missing value are rare -> the form that most of their
            values have, such as AA of country codes: NA is one of them. Empty if they have none in common.
        traces: columns in which traces of programs are rare.
        rules: dependencies between columns: those that the user stated, and those that were found.
    """

    kinds: Mapping[str, ColumnKind]
    types: Mapping[str, str]
    texts: TextErrors
    numbers: NumberErrors | None
    hashes: np.ndarray
    missing_words: Mapping[str, str]
    traces: frozenset[str]
    rules: tuple[Rule, ...] = ()

    @classmethod
    @np.errstate(over="ignore", invalid="ignore", divide="ignore")  # the largest numbers have no square
    def fit(
        cls,
        columns: Mapping[str, pa.Array],
        names: Sequence[str],
        seed: int,
        stated: Sequence[Rule] = (),
    ) -> TableErrors | None:
        """Learn from a table which of its cells are wrong.

        Args:
            columns: name -> values.
            names: of the columns to judge.
            seed: of the forests.
            stated: rules of the user, which may be about other columns too.

        Returns:
            None if there is nothing to judge.
        """
        length = len(next(iter(columns.values())))
        rows = pa.array(evenly_spaced(length, MAX_ROWS))
        read = read_columns({n: columns[n].take(rows) for n in names}, names)
        types = {n: str(plain_type(columns[n].type)) for n in read}
        found = {n: kind for n, column in read.items() if (kind := column.kind()) is not None}
        kinds = dict(list(found.items())[:MAX_COLUMNS])
        if not kinds:
            return None
        read = {n: read[n] for n in kinds}
        hashes = row_hashes([column.texts for column in read.values()])
        numbered = {n: _number_values(read[n].texts) for n, kind in kinds.items() if kind.as_text}
        values, codes = {n: v for n, (v, _) in numbered.items()}, {n: c for n, (_, c) in numbered.items()}
        ranges = {n: read[n].ranges(k.edges) for n, k in kinds.items() if k.edges is not None}
        table = _text_table(kinds, values, codes, ranges)
        labels = {n: table.groups[n] for n, kind in kinds.items() if not kind.as_number and kind.is_group}
        numeric = {n: read[n].numbers for n, kind in kinds.items() if kind.as_number}
        numbers = NumberErrors.fit(numeric, labels, hashes % N_FOLDS, seed) if numeric else None
        few_words = {
            n: _usual_form(read[n])
            for n in kinds
            if _share_of(read[n], _is_missing_word) <= MAX_MISSING_WORDS
        }
        traces = {n for n in kinds if _share_of(read[n], _has_trace) <= MAX_ARTEFACTS}
        texts = TextErrors.fit(table)
        known = _known_rules({n: columns[n].take(rows) for n in columns}, read, stated, texts.right)
        known_types = {n: types[n] for n in kinds}
        return cls(kinds, known_types, texts, numbers, hashes, few_words, frozenset(traces), known)

    @np.errstate(over="ignore", invalid="ignore", divide="ignore")
    def judge(self, columns: Mapping[str, pa.Array]) -> dict[str, Verdicts]:
        """Judge the cells of rows; columns that are not in the data are left out.

        Args:
            columns: name -> values.
        """
        columns = {**columns, **{n: as_type(columns[n], t) for n, t in self.types.items() if n in columns}}
        read = read_columns(columns, list(self.kinds))
        if not read:
            return {}
        size = len(next(iter(read.values())).texts)
        absent = CheckedColumn([None] * size, np.full(size, np.nan))
        present = set(read)
        read = {n: read.get(n, absent) for n in self.kinds}
        own = self._own(row_hashes([column.texts for column in read.values()]))
        groups = {n: self._groups(n, read[n]) for n in self.texts.table.groups}
        found = self.texts.judge({n: read[n].texts for n in self.texts.table.values}, groups, own)
        if self.numbers is not None:
            numeric = {n: _with_inner(read[n]) for n, kind in self.kinds.items() if kind.as_number}
            labels = {n: groups[n] for n, k in self.kinds.items() if not k.as_number and k.is_group}
            counted = np.zeros(len(self.hashes), bool)
            counted[evenly_spaced(len(self.hashes), MAX_NUMBERS)] = True
            place = np.maximum(own, 0)
            folds = np.where((own >= 0) & counted[place], self.hashes[place] % N_FOLDS, -1)
            for name, verdicts in self.numbers.judge(numeric, labels, folds).items():
                found[name] = verdicts if name not in found else found[name].joined(verdicts)
        for name, verdicts in found.items():
            self._judge_words(name, read[name], verdicts)
        judge_rules(self.rules, self._rule_columns(columns, read, present), own, found)
        return {n: found[n] for n in self.kinds if n in present}

    def violations(
        self, columns: Mapping[str, pa.Array]
    ) -> tuple[list[tuple[Rule, np.ndarray]], dict[str, CheckedColumn]]:
        """Return each rule whose columns are there, and (rows,) which rows violate it; and these columns.

        Args:
            columns: name -> values.
        """
        read = self._rule_columns(columns, {}, set())
        rules = (rule for rule in self.rules if all(name in read for name in rule.columns))
        return [(rule, rule.violations(read)) for rule in rules], read

    def _rule_columns(
        self, columns: Mapping[str, pa.Array], read: Mapping[str, CheckedColumn], present: set[str]
    ) -> dict[str, CheckedColumn]:
        """Return the columns of rules that are in the data; some are read already."""
        wanted = dict.fromkeys(name for rule in self.rules for name in rule.columns)
        more = read_columns(columns, [name for name in wanted if name not in present])
        return {**{n: read[n] for n in wanted if n in present}, **more}

    def _own(self, hashes: np.ndarray) -> np.ndarray:
        """Return (rows,) the remembered row of the fit that each row is; -1 for a new one."""
        order = np.argsort(self.hashes, kind="stable")
        ranked = self.hashes[order]
        at = np.minimum(np.searchsorted(ranked, hashes), len(ranked) - 1)
        return np.where(ranked[at] == hashes, order[at], -1)

    def _groups(self, name: str, column: CheckedColumn) -> np.ndarray:
        """Return (rows,) the number of each value as other columns see it; -1 for none or a new one."""
        edges = self.kinds[name].edges
        if edges is not None:
            return column.ranges(edges)
        number = {v: i for i, v in enumerate(self.texts.table.labels[name])}
        return np.array([-1 if t is None else number.get(t, -1) for t in column.texts], dtype=np.int64)

    def _judge_words(self, name: str, column: CheckedColumn, verdicts: Verdicts) -> None:
        """Judge words for missing values, texts among numbers, and traces of programs."""
        kind = self.kinds[name]
        for row, text in enumerate(column.texts):
            if text is None:
                continue
            if _is_missing_word(text) and _form(text) != self.missing_words.get(name):
                verdicts.clear(row)
                if name in self.missing_words:
                    verdicts.say(row, P_MISSING_WORD, "stands for a missing value")
            elif kind.as_number and np.isnan(column.numbers[row]):
                if CENSORED.search(text):
                    verdicts.clear(row)  # "<0.1" is a number that is not known exactly
                    continue
                inner = inner_number(text)
                if verdicts.log_odds[row] > 0:
                    inner = None  # it would be wrong too: perhaps the unit is another one
                verdicts.clear(row)
                why = "text in a column of numbers" if inner is None else "a number with a unit or a mark"
                verdicts.say(row, P_NO_NUMBER, why, inner, SURE if inner is not None else 0.0)
            elif name in self.traces and (artefact := find_artefact(text)) is not None:
                why, right = artefact
                verdicts.say(row, P_ARTEFACT, why, right, SURE if right is not None else 0.0)

    def arrays(self) -> dict[str, np.ndarray]:
        """Return what was fitted, as arrays for a model file."""
        table = self.texts.table
        strings = json.dumps([list(v) for v in table.values.values()]).encode()
        arrays = {"hashes": self.hashes, "strings": np.frombuffer(strings, np.uint8).copy()}
        arrays["codes"] = _stacked(table.codes.values(), len(self.hashes), np.int32)
        ranges = (group for name, group in table.groups.items() if name not in table.codes)
        arrays["ranges"] = _stacked(ranges, len(self.hashes), np.int8)
        right = (np.round(self.texts.right[name] * RIGHT_STEPS) for name in table.codes)
        arrays["right"] = _stacked(right, len(self.hashes), np.uint8)
        if self.numbers is not None:
            arrays |= {f"numbers/{k}": v for k, v in self.numbers.arrays().items()}
        return arrays

    def state(self) -> dict[str, Any]:
        """Return the rest of what was fitted, as plain values."""
        return {
            "kinds": {n: kind.to_json() for n, kind in self.kinds.items()},
            "types": dict(self.types),
            "missing_words": dict(self.missing_words),
            "traces": sorted(self.traces),
            "texts": self.texts.state(),
            "numbers": None if self.numbers is None else self.numbers.state(),
            "rules": [rule.to_json() for rule in self.rules],
        }

    @classmethod
    def restore(cls, arrays: Mapping[str, np.ndarray], state: Mapping[str, Any]) -> TableErrors:
        """Return the inverse of `arrays` and `state`.

        Args:
            arrays: name -> array.
            state: plain values.

        Raises:
            ValueError: no fit can have left this.
        """
        kinds = {n: ColumnKind.from_json(kind) for n, kind in state["kinds"].items()}
        hashes, rows = arrays["hashes"], len(arrays["hashes"])
        require(hashes.dtype == np.int64 and hashes.ndim == 1 and 0 < rows <= MAX_ROWS, "hashes of rows")
        strings = json.loads(arrays["strings"].tobytes().decode())
        texts = [n for n, kind in kinds.items() if kind.as_text]
        ranges = [n for n, kind in kinds.items() if kind.edges is not None]
        require(len(kinds) > 0 and len(strings) == len(texts), "texts of columns")
        require(all(map(is_text_list, strings)), "texts of columns")
        values = dict(zip(texts, strings, strict=True))
        for part, wanted, kind in (
            ("codes", texts, np.int32),
            ("right", texts, np.uint8),
            ("ranges", ranges, np.int8),
        ):
            require(arrays[part].shape == (len(wanted), rows) and arrays[part].dtype == kind, part)
        codes = dict(zip(texts, arrays["codes"].astype(np.int64), strict=True))
        right = dict(zip(texts, arrays["right"] / RIGHT_STEPS, strict=True))
        groups = dict(zip(ranges, arrays["ranges"].astype(np.int64), strict=True))
        for n, found in {**codes, **groups}.items():
            edges = kinds[n].edges
            bound = len(values[n]) if edges is None else len(edges) + 1
            require(bool(((found >= -1) & (found < bound)).all()) and found.max() >= 0, "codes of texts")
        numbers = None
        if state["numbers"] is not None:
            numbers = NumberErrors.restore(select_prefix(arrays, "numbers/"), state["numbers"])
        words, traces = dict(state["missing_words"]), frozenset(state["traces"])
        require(is_text_list([*words, *words.values()]) and is_text_list(list(traces)), "names of columns")
        texts_found = TextErrors.restore(_text_table(kinds, values, codes, groups), right, state["texts"])
        rules = tuple(rule_from_json(rule) for rule in state["rules"])
        types = dict(state["types"])
        require(types.keys() == kinds.keys() and is_text_list(list(types.values())), "types of columns")
        restored = cls(kinds, types, texts_found, numbers, hashes, words, traces, rules)
        require(restored.arrays().keys() == arrays.keys(), "names of arrays")
        return restored


def _known_rules(
    columns: Mapping[str, pa.Array],
    read: Mapping[str, CheckedColumn],
    stated: Sequence[Rule],
    right: Mapping[str, np.ndarray],
) -> tuple[Rule, ...]:
    """Return the rules of the user, and those that are found and say something else.

    Args:
        columns: rows of the fit.
        read: those of them that are judged, as text.
        stated: by the user.
        right: column -> (rows,) the probability that each cell is right; without columns that are not known.
    """
    wanted = dict.fromkeys(name for rule in stated for name in rule.columns)
    of_rules = {**read, **read_columns(columns, [name for name in wanted if name not in read])}
    own = [replace(r, stated=True).fit(of_rules) for r in stated if all(n in of_rules for n in r.columns)]
    names = {(rule.kind, rule.columns) for rule in own}
    found = (rule for rule in find_rules(read) if (rule.kind, rule.columns) not in names)
    return *own, *(rule.weighted(read, right) for rule in found)


def _text_table(
    kinds: Mapping[str, ColumnKind],
    values: Mapping[str, Sequence[str]],
    codes: Mapping[str, np.ndarray],
    ranges: Mapping[str, np.ndarray],
) -> TextTable:
    """Return the texts of a table, with the groups that they may follow from."""
    groups = {n: codes[n] if n in codes else ranges[n] for n, kind in kinds.items() if kind.is_group}
    return TextTable(values, codes, groups, {n: values[n] for n in groups if n in values})


def _stacked(columns: Iterable[np.ndarray], rows: int, kind: type) -> np.ndarray:
    """Return columns as one array, (columns, rows)."""
    return np.array(list(columns), dtype=kind).reshape(-1, rows)


def _number_values(texts: Sequence[str | None]) -> tuple[list[str], np.ndarray]:
    """Return different values, the most frequent first, and (rows,) the number of each; -1 without one."""
    counts = Counter(t for t in texts if t is not None)
    values = sorted(counts, key=lambda v: (-counts[v], v))
    number = {v: i for i, v in enumerate(values)}
    return values, np.array([-1 if t is None else number[t] for t in texts], dtype=np.int64)


def _with_inner(column: CheckedColumn) -> np.ndarray:
    """Return (rows,) the numbers of a column, with those that stand in a text with a unit."""
    numbers = column.numbers.copy()
    for row in np.flatnonzero(np.isnan(numbers)).tolist():
        text = column.texts[row]
        inner = None if text is None else inner_number(text)
        if inner is not None:
            numbers[row] = float(inner)
    return numbers


def _is_missing_word(text: str) -> bool:
    return text.strip() in MISSING_WORDS


def _form(text: str) -> str:
    """Return a text with its letters and digits replaced by A, a and 0."""
    return "".join("0" if c.isdigit() else "A" if c.isupper() else "a" if c.isalpha() else c for c in text)


def _usual_form(column: CheckedColumn) -> str:
    """Return the form that most values of a column have; empty if none is as frequent."""
    forms = Counter(_form(t[:MAX_FORM]) for t in column.texts if t is not None)
    form, count = forms.most_common(1)[0] if forms else ("", 0)
    return form if count > USUAL_FORM * sum(forms.values()) else ""


def _has_trace(text: str) -> bool:
    return find_artefact(text) is not None


def _share_of(column: CheckedColumn, test: Callable[[str], bool]) -> float:
    """Return the share of the rows whose text passes a test."""
    return sum(t is not None and test(t) for t in column.texts) / max(len(column.texts), 1)
