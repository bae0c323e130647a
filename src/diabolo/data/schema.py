"""What the columns of a data set are: inferred, shown, overruled, stored, and compared with new data."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch

from diabolo.data.columns import COLUMNS, Category, Column, Datetime, Number, Values
from diabolo.data.columns.base import to_array
from diabolo.data.fields import FIELDS, Batch, Field
from diabolo.data.inference import COUNTED, NEARLY, TOO, kind_of, looks, missing_share, why_ignored
from diabolo.data.surrogates import SurrogateColumn
from diabolo.errors import DataError, OptionError, SchemaError
from diabolo.utils.checks import check_int

AS_ASKED = "as asked"


@dataclass(frozen=True)
class Entry:
    """One column of the data.

    Attributes:
        name: as the user has it.
        role: "scored" (read and predicted), "context" (read only) or "ignored" (passed through).
        column: its kind and what was learnt of it; None if ignored.
        reason: why this kind and role, in a few words.
        missing: share of the rows in which it has no value.
        surrogate: how generated rows get values of an id or of a constant; None for other columns.
    """

    name: str
    role: str
    column: Column | None
    reason: str
    missing: float = 0.0
    surrogate: SurrogateColumn | None = None


@dataclass(frozen=True)
class Slot:
    """Where a part of a column lies in the codes: `codes.values[kind][:, index]`."""

    name: str
    kind: str
    index: int


@dataclass(frozen=True)
class Schema:
    """Name -> column, in the order of the data.

    Example:
        >>> import pyarrow as pa
        >>> schema = Schema.infer(
        ...     {"age": pa.array([31, 45, 28]), "city": pa.array(["Oslo", "Bergen", "Oslo"])}
        ... )
        >>> [(e.name, e.role, e.column.kind) for e in schema.entries]
        [('age', 'scored', 'number'), ('city', 'scored', 'category')]
    """

    entries: tuple[Entry, ...]

    @classmethod
    def infer(
        cls,
        columns: Mapping[str, Values],
        *,
        scored: Iterable[str] | None = None,
        context: Iterable[str] | None = None,
        ignore: Iterable[str] | None = None,
        kinds: Mapping[str, Column] | None = None,
        calendar: str | None = None,
        named: bool = True,
        rest: str = "context",
        counters: Collection[str] = (),
    ) -> Schema:
        """Decide what each column is, and learn its range or its levels.

        Args:
            columns: name -> values.
            scored: names that are scored whatever they look like.
            rest: what becomes of the others, if some are named as scored: "context" or "ignored".
            context: names that are read but never scored.
            ignore: names that are not used.
            kinds: name -> kind, an instance of a `Column`, instead of the one that looks right.
            calendar: the name of the time column of a series; it becomes context.
            named: whether the names mean anything (False for a plain array: then no id is looked for).
            counters: names of columns that are known to number the rows; they are left out as ids.

        Raises:
            OptionError: a name in the options is not in the data.
            DataError: nothing is left to score.
        """
        only, context, ignore, kinds = (
            set(scored or ()),
            set(context or ()),
            set(ignore or ()),
            dict(kinds or {}),
        )
        _check_names(columns, {"scored": only, "context": context, "ignore": ignore, "columns": set(kinds)})
        entries = []
        for name, values in columns.items():
            asked = name in only or name in context or name in kinds
            reason = None
            if not asked and name != calendar:
                reason = COUNTED if name in counters else why_ignored(name, values, named)
            missing = missing_share(values)
            left = bool(only) and name not in only and name not in context and name != calendar
            if name in ignore or (left and rest == "ignored"):
                entries.append(Entry(name, "ignored", None, AS_ASKED, missing))
                continue
            if reason is not None:
                made = SurrogateColumn.fit(values) if reason.startswith(("constant", "an id")) else None
                entries.append(Entry(name, "ignored", None, reason, missing, made))
                continue
            column = kinds.get(name) or kind_of(values)
            if column is None:
                entries.append(
                    Entry(name, "ignored", None, f"{to_array(values).type} values have no kind", missing)
                )
                continue
            if name == calendar and isinstance(column, Datetime) and name not in kinds:
                column = Datetime(elapsed=False)
            fitted = column.fit(values, name)
            is_context = (
                name in context or (name == calendar and name not in only) or bool(only and name not in only)
            )
            why = AS_ASKED if asked else ("calendar of the series" if name == calendar else looks(values))
            if not fitted.fields:
                entries.append(Entry(name, "ignored", None, "too short for a calendar", missing))
            else:
                entries.append(Entry(name, "context" if is_context else "scored", fitted, why, missing))
        schema = cls(tuple(entries))
        schema.check_sizes()
        if not any(e.role == "scored" for e in entries):
            shown = "; ".join(f"{e.name}: {e.role}, {e.reason}" for e in entries[:5])
            raise DataError(
                f"no column is left to score ({shown or 'the data has no columns'})",
                hint='name the columns that count: scored=["..."] or --scored NAME',
            )
        return schema

    def embed(self, sizes: Mapping[str, int]) -> Schema:
        """The same with given sizes of embeddings: name of a category -> numbers.

        Raises:
            OptionError: a name is no category of the data, or a size is no size.
        """
        _check_names({e.name: None for e in self.entries}, {"embedding": set(sizes)})
        entries = []
        for entry in self.entries:
            if entry.name in sizes:
                size = check_int(f"embedding[{entry.name!r}]", sizes[entry.name])
                if not isinstance(entry.column, Category):
                    kind = entry.column.kind if entry.column is not None else entry.role
                    raise OptionError(
                        f"embedding names the column {entry.name!r}, which is no category but {kind}",
                        hint=f"categorical=[{entry.name!r}] makes it one",
                    )
                entry = replace(entry, column=replace(entry.column, embedding=size))
            entries.append(entry)
        return Schema(tuple(entries))

    @property
    def scored(self) -> list[str]:
        """The names of the scored columns."""
        return [e.name for e in self.entries if e.role == "scored"]

    @property
    def used(self) -> list[Entry]:
        """The entries that are read: scored and context."""
        return [e for e in self.entries if e.column is not None]

    def say_ignored(self) -> str | None:
        """One sentence on the columns that are left out without having been asked for, or None."""
        left = [
            f"{e.name} ({e.reason})" for e in self.entries if e.role == "ignored" and e.reason != AS_ASKED
        ]
        if not left:
            return None
        more = f" and {len(left) - 5} more" if len(left) > 5 else ""
        return (
            f"ignored: {'; '.join(left[:5])}{more}. To read one all the same: context=[...] or scored=[...]"
        )

    def say_doubts(self) -> str | None:
        """One sentence on the columns that are read, but perhaps not as they were meant, or None."""
        doubtful = [
            f"{e.name} ({e.reason})"
            for e in self.entries
            if e.role != "ignored" and (e.reason.startswith(NEARLY) or e.reason.endswith(TOO))
        ]
        if not doubtful:
            return None
        more = f" and {len(doubtful) - 5} more" if len(doubtful) > 5 else ""
        return f"perhaps meant otherwise: {'; '.join(doubtful[:5])}{more}"

    def __getitem__(self, name: str) -> Column:
        return self._columns[name]

    @cached_property
    def _columns(self) -> dict[str, Column]:
        return {e.name: e.column for e in self.entries if e.column is not None}

    @cached_property
    def slots(self) -> tuple[Slot, ...]:
        """Where every part of every column lies, in the order of the columns."""
        found: list[Slot] = []
        count = dict.fromkeys((f.kind for f in FIELDS), 0)
        for entry in self.used:
            assert entry.column is not None
            for part in entry.column.fields:
                found.append(Slot(entry.name, part.kind, count[part.kind]))
                count[part.kind] += 1
        return tuple(found)

    @cached_property
    def fields(self) -> dict[str, list[Field]]:
        """Kind -> its fields, in the order of `slots`; kinds without fields are left out."""
        found: dict[str, list[Field]] = {}
        for entry in self.used:
            assert entry.column is not None
            for part in entry.column.fields:
                found.setdefault(part.kind, []).append(part)
        return found

    @cached_property
    def scored_fields(self) -> dict[str, np.ndarray]:
        """Kind -> (fields,) whether each belongs to a scored column."""
        scored = set(self.scored)
        return {k: np.array([s.name in scored for s in self.slots if s.kind == k]) for k in self.fields}

    @cached_property
    def can_be_missing(self) -> dict[str, np.ndarray]:
        """Kind -> (fields,) whether each belongs to a scored column with missing values."""
        with_missing = {e.name for e in self.entries if e.role == "scored" and e.missing > 0}
        return {
            k: np.array([s.name in with_missing for s in self.slots if s.kind == k])
            for k, fields in self.fields.items()
            if fields[0].cell == ()
        }

    def slots_of(self, name: str) -> list[Slot]:
        """Where the parts of one column lie."""
        return list(self._slots.get(name, ()))

    @cached_property
    def _slots(self) -> dict[str, list[Slot]]:
        # Tasks ask for every column in turn: looking through all slots each time is slow for wide tables.
        found: dict[str, list[Slot]] = {}
        for slot in self.slots:
            found.setdefault(slot.name, []).append(slot)
        return found

    def check_sizes(self) -> None:
        """Raise `DataError` if fields of one kind differ in size: they lie side by side in one tensor."""
        for kind, fields in self.fields.items():
            other = next((i for i, f in enumerate(fields) if f.cell != fields[0].cell), None)
            if other is not None:
                name = next(s.name for s in self.slots if (s.kind, s.index) == (kind, other))
                raise DataError(
                    f"{name!r} holds {kind}s of shape {fields[other].cell}, those before it {fields[0].cell}",
                    hint=f"bring them to one size, or leave it out: ignore=[{name!r}]",
                )

    def check(self, columns: Collection[str]) -> None:
        """Raise `SchemaError` if a column that the model reads is not there."""
        missing = [e.name for e in self.used if e.name not in columns]
        if not missing:
            return
        lines = []
        for name in missing:
            near = difflib.get_close_matches(name, list(columns), n=1)
            lines.append(f"  - {name}" + (f"   (the data has {near[0]!r})" if near else ""))
        extra = [n for n in columns if n not in {e.name for e in self.entries}]
        lines += [f"  + {n}" for n in extra[:10]]
        raise SchemaError(
            f"{len(missing)} column(s) that the model was fitted on are not in the data:\n"
            + "\n".join(lines),
            hint="rename them, or fit a new model on this data",
        )

    def encode(self, columns: Mapping[str, Values]) -> Batch:
        """Values -> codes. Only the columns that are read are looked at."""
        self.check(columns)
        values: dict[str, list[np.ndarray]] = {}
        visible: dict[str, list[np.ndarray]] = {}
        for entry in self.used:
            assert entry.column is not None
            parts = entry.column.encode(columns[entry.name], entry.name)
            for part, (value, there) in zip(entry.column.fields, parts, strict=True):
                values.setdefault(part.kind, []).append(value)
                visible.setdefault(part.kind, []).append(there)
        return Batch(
            {k: torch.from_numpy(np.stack(v, axis=1)) for k, v in values.items()},
            {k: torch.from_numpy(np.stack(v, axis=1)) for k, v in visible.items()},
        )

    def decode(self, name: str, values: Mapping[str, np.ndarray], *, exact: bool = True) -> Values:
        """One column from the values of all fields."""
        return self[name].decode([values[s.kind][:, s.index] for s in self.slots_of(name)], exact=exact)

    def describe(self) -> list[dict[str, Any]]:
        """One line a column: name, kind, role, missing, why, and what was learnt."""
        return [
            {
                "column": e.name,
                "kind": e.column.kind if e.column else "-",
                "role": e.role,
                "missing": e.missing,
                "why": e.reason,
                "learnt": e.column.describe() if e.column else "",
            }
            for e in self.entries
        ]

    def __str__(self) -> str:
        rows = [
            [r["column"], r["kind"], r["role"], f"{r['missing']:.1%}", r["why"], r["learnt"]]
            for r in self.describe()
        ]
        rows = [["column", "kind", "role", "missing", "why", "learnt"], *rows]
        width = [max(len(str(r[i])) for r in rows) for i in range(5)]
        return "\n".join(
            "  ".join([*(str(c).ljust(w) for c, w in zip(r[:5], width, strict=True)), r[5]]).rstrip()
            for r in rows
        )

    def to_json(self) -> list[dict[str, Any]]:
        """Plain values, for a model file."""
        return [
            {
                "name": e.name,
                "role": e.role,
                "reason": e.reason,
                "missing": e.missing,
                "column": e.column.to_json() if e.column else None,
                "surrogate": e.surrogate.to_json() if e.surrogate else None,
            }
            for e in self.entries
        ]

    @classmethod
    def from_json(cls, entries: Sequence[Mapping[str, Any]]) -> Schema:
        """The inverse of `to_json`."""
        kinds = {c.kind: c for c in COLUMNS}
        made = []
        for e in entries:
            state = dict(e["column"]) if e["column"] else None
            column = kinds[state.pop("kind")](**state) if state else None
            surrogate = SurrogateColumn.from_json(e["surrogate"]) if e["surrogate"] else None
            made.append(Entry(e["name"], e["role"], column, e["reason"], e["missing"], surrogate))
        return cls(tuple(made))


def _check_names(columns: Mapping[str, Any], options: Mapping[str, set[str]]) -> None:
    for option, names in options.items():
        for name in sorted(names - set(columns)):
            near = difflib.get_close_matches(name, list(columns), n=1)
            raise OptionError(
                f"{option} names the column {name!r}, which the data does not have",
                hint=f"did you mean {near[0]!r}?"
                if near
                else f"the columns are: {', '.join(list(columns)[:20])}",
            )


def as_kind(
    columns: Mapping[str, Values], numeric: Iterable[str], categorical: Iterable[str]
) -> dict[str, Column]:
    """The options `numeric` and `categorical` as kinds."""
    _check_names(columns, {"numeric": set(numeric), "categorical": set(categorical)})
    return {**{n: Number() for n in numeric}, **{n: Category() for n in categorical}}
