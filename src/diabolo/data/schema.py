"""The schema: what the columns of a data set are, inferred or requested, and how they are encoded."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from diabolo.data.columns import COLUMNS, Category, Column, Values
from diabolo.data.entries import REQUESTED_REASON, Entry, SchemaOptions, check_column_names
from diabolo.data.fields import FIELDS, Batch, Field
from diabolo.data.inference import AMBIGUOUS_DATE_SUFFIX, NUMERIC_TEXT_PREFIX
from diabolo.data.surrogates import SurrogateColumn
from diabolo.errors import DataError, OptionError, SchemaError
from diabolo.utils.checks import check_int

MAX_LISTED = 5  # columns that a sentence lists with reasons


@dataclass(frozen=True)
class Slot:
    """The place of a field of a column in a batch: `batch.values[kind][:, index]`."""

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
        texts: bool = True,
    ) -> Schema:
        """Decide the kind and the role of each column, and learn its range or its levels.

        Args:
            columns: name -> values.
            scored: names of columns that are scored whatever their values are.
            context: names of columns that are read but never scored.
            ignore: names of columns that are not used.
            kinds: name -> kind, an instance of a `Column`, instead of the one that is inferred.
            calendar: the name of the time column of a series; it becomes context.
            named: whether the names mean anything (False for a plain array: then no id is looked for).
            rest: the role of the other columns, if some are named as scored: "context" or "ignored".
            counters: names of columns that are known to number the rows; they are ignored as ids.
            texts: whether columns are read that are `Text`; False for a series, where they are ignored.

        Raises:
            OptionError: a name in the options is not in the data.
            DataError: no column is left to score, or images differ in size from column to column.
        """
        options = SchemaOptions(
            scored=frozenset(scored or ()),
            context=frozenset(context or ()),
            ignore=frozenset(ignore or ()),
            kinds=dict(kinds or {}),
            calendar=calendar,
            named=named,
            rest=rest,
            counters=frozenset(counters),
            texts=texts,
        )
        options.check_names(columns)
        schema = cls(tuple(options.make_entry(name, values) for name, values in columns.items()))
        schema.check_sizes()
        if not schema.scored:
            listed = "; ".join(f"{e.name}: {e.role}, {e.reason}" for e in schema.entries[:MAX_LISTED])
            raise DataError(
                f"no column is left to score ({listed or 'the data has no columns'})",
                hint='name the columns that count: scored=["..."] or --scored NAME',
            )
        return schema

    def with_embedding_sizes(self, sizes: Mapping[str, int]) -> Schema:
        """Return a copy in which categories have given sizes of their embeddings: name -> size.

        Raises:
            OptionError: a name is no category of the data, or a size is below 1.
        """
        check_column_names({e.name: None for e in self.entries}, {"embedding": set(sizes)})
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
        """The names of the scored columns, in the order of the data."""
        return [e.name for e in self.entries if e.role == "scored"]

    @property
    def predicted(self) -> list[str]:
        """The names of the scored columns whose values are predicted: all but `Text`."""
        return [e.name for e in self.entries if e.role == "scored" and e.predicts_values]

    @property
    def used(self) -> list[Entry]:
        """The entries that are read: scored and context."""
        return [e for e in self.entries if e.column is not None]

    def ignored_note(self) -> str | None:
        """Return a sentence on the columns that are ignored without a request, or None."""
        ignored = [e for e in self.entries if e.column is None and e.reason != REQUESTED_REASON]
        if not ignored:
            return None
        return f"ignored: {_list_reasons(ignored)}. To read one all the same: context=[...] or scored=[...]"

    def doubts_note(self) -> str | None:
        """Return a sentence on the columns that are perhaps read in a way that was not meant, or None."""
        doubtful = [
            e
            for e in self.entries
            if e.column is not None
            and (e.reason.startswith(NUMERIC_TEXT_PREFIX) or e.reason.endswith(AMBIGUOUS_DATE_SUFFIX))
        ]
        return f"perhaps meant otherwise: {_list_reasons(doubtful)}" if doubtful else None

    def __getitem__(self, name: str) -> Column:
        return self._columns[name]

    @cached_property
    def _columns(self) -> dict[str, Column]:
        return {e.name: e.column for e in self.entries if e.column is not None}

    @cached_property
    def slots(self) -> tuple[Slot, ...]:
        """The slots of all fields of all columns, in the order of the columns."""
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
        return self._fields_of(self.scored)

    @cached_property
    def compared_fields(self) -> dict[str, np.ndarray]:
        """Kind -> (fields,) whether each counts in the distance between rows: not the length of a text."""
        return self._fields_of(self.predicted or self.scored)

    def _fields_of(self, names: Collection[str]) -> dict[str, np.ndarray]:
        """Return kind -> (fields,) whether each belongs to one of some columns."""
        return {k: np.array([s.name in names for s in self.slots if s.kind == k]) for k in self.fields}

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
        """Return the slots of one column's fields."""
        return list(self._slots.get(name, ()))

    @cached_property
    def _slots(self) -> dict[str, list[Slot]]:
        # Tasks read every column in turn: a search through all slots each time is slow for wide tables.
        found: dict[str, list[Slot]] = {}
        for slot in self.slots:
            found.setdefault(slot.name, []).append(slot)
        return found

    def check_sizes(self) -> None:
        """Raise `DataError` if fields of one kind differ in size: they share one tensor."""
        for kind, fields in self.fields.items():
            other = next((i for i, f in enumerate(fields) if f.cell != fields[0].cell), None)
            if other is not None:
                name = next(s.name for s in self.slots if (s.kind, s.index) == (kind, other))
                raise DataError(
                    f"{name!r} holds {kind}s of shape {fields[other].cell}, those before it {fields[0].cell}",
                    hint=f"bring them to one size, or leave it out: ignore=[{name!r}]",
                )

    def check(self, columns: Collection[str]) -> None:
        """Raise `SchemaError` if a column that the model reads is missing; text may be, see `encode`."""
        missing = [e.name for e in self.entries if e.predicts_values and e.name not in columns]
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
        """Return the values of the columns that are read as a batch; text that is not there is missing.

        Raises:
            SchemaError: a column is missing.
            ColumnError: a value is not of the kind of its column.
        """
        self.check(columns)
        values: dict[str, list[np.ndarray]] = {}
        visible: dict[str, list[np.ndarray]] = {}
        for entry in self.used:
            assert entry.column is not None
            column = columns.get(entry.name)
            if column is None:
                column = pa.nulls(len(next(iter(columns.values()))), pa.string())
            parts = entry.column.encode(column, entry.name)
            for part, (value, present) in zip(entry.column.fields, parts, strict=True):
                values.setdefault(part.kind, []).append(value)
                visible.setdefault(part.kind, []).append(present)
        return Batch(
            {k: torch.from_numpy(np.stack(v, axis=1)) for k, v in values.items()},
            {k: torch.from_numpy(np.stack(v, axis=1)) for k, v in visible.items()},
        )

    def decode(self, name: str, values: Mapping[str, np.ndarray], *, exact: bool = True) -> Values:
        """Return one column from the values of all fields.

        Args:
            name: the column's.
            values: kind -> (rows, fields, *cell).
            exact: whether to restore the type and the digits of the fit.
        """
        return self[name].decode([values[s.kind][:, s.index] for s in self.slots_of(name)], exact=exact)

    def describe(self) -> list[dict[str, Any]]:
        """Return a row for each column: name, kind, role, missing share, reason, and what was learnt."""
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
        """Return plain values, for a model file."""
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
        """Return the schema that `to_json` described."""
        kinds = {c.kind: c for c in COLUMNS}
        restored = []
        for e in entries:
            state = dict(e["column"]) if e["column"] else None
            column = kinds[state.pop("kind")](**state) if state else None
            surrogate = SurrogateColumn.from_json(e["surrogate"]) if e["surrogate"] else None
            restored.append(Entry(e["name"], e["role"], column, e["reason"], e["missing"], surrogate))
        return cls(tuple(restored))


def _list_reasons(entries: Sequence[Entry]) -> str:
    """Return the first columns with their reasons, and the number of the others."""
    listed = "; ".join(f"{e.name} ({e.reason})" for e in entries[:MAX_LISTED])
    more = f" and {len(entries) - MAX_LISTED} more" if len(entries) > MAX_LISTED else ""
    return listed + more
