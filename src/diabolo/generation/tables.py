"""What all samplers of tables share: batches, constraints, and the columns that are made without a model."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from diabolo.data.columns import Text
from diabolo.data.fields import CHUNK_ROWS
from diabolo.errors import OptionError
from diabolo.generation.base import Fitted, Request, Sampler, Table
from diabolo.generation.conditions import read_conditions
from diabolo.generation.sampling import sampling_mode
from diabolo.generation.seeds import derive_seed
from diabolo.generation.texts import TextSampler

MAX_ROUNDS = 50  # in which rows that violate a constraint are sampled again
_MIN_SHARE = 0.01  # of rows that satisfy the constraints: a lower one is not relied on
_SPARE_ROWS = 16  # sampled in addition to the expected number


class TableSampler(Sampler):
    """Samples rows of a table in batches, until all of them satisfy the constraints."""

    def __init__(self, fitted: Fitted, request: Request) -> None:
        super().__init__(fitted, request)
        self.conditions = read_conditions(fitted, request)
        self.text_samplers = {
            entry.name: TextSampler(entry.column, fitted.texts_of(entry.name))
            for entry in fitted.schema.entries
            if isinstance(entry.column, Text)
        }

    @classmethod
    def accepts(cls, fitted: Fitted, request: Request) -> None:
        """Refuse what is an option of series.

        Args:
            fitted: a model that the sampler serves.
            request: what is asked for.

        Raises:
            OptionError: `series` is asked of a table.
        """
        if request.series is not None:
            raise OptionError(
                "series: the model is one of a table, which has rows", hint="model.generate(100)"
            )

    @abstractmethod
    def sample(self, n: int) -> Table:
        """Sample rows, whether they satisfy the constraints or not; inside `sampling_mode`."""

    def batches(self) -> Iterator[Table]:
        rows, seed = self.request.n or 0, self.request.seed
        for number, start in enumerate(range(0, rows, CHUNK_ROWS)):
            size = min(CHUNK_ROWS, rows - start)
            with sampling_mode(self.fitted, seed if number == 0 else derive_seed(seed, number)):
                table = self._sample_satisfying(size)
            yield self.complete(table, start, size)

    def _sample_satisfying(self, rows: int) -> Table:
        """Sample as many rows as are wanted, all of which satisfy the constraints (rejection sampling)."""
        table = self.sample(rows)
        if not self.conditions.constraints:
            return table
        parts, accepted, sampled = [], 0, 0
        for _ in range(MAX_ROUNDS):
            satisfied = self.conditions.satisfied(table)
            parts.append({name: values.filter(pa.array(satisfied)) for name, values in table.items()})
            accepted, sampled = accepted + int(satisfied.sum()), sampled + len(satisfied)
            if accepted >= rows:
                return {name: pa.concat_arrays([p[name] for p in parts])[:rows] for name in table}
            share = max(accepted / sampled, _MIN_SHARE)
            table = self.sample(min(int((rows - accepted) / share) + _SPARE_ROWS, CHUNK_ROWS))
        raise OptionError(
            f"of {sampled:,} sampled rows {accepted:,} satisfy {self.conditions.describe()}",
            hint="fewer or wider constraints, or fewer rows",
        )

    def complete(self, table: Table, start: int, rows: int) -> Table:
        """Return the table with the columns that are made without a model, in the order of the fit.

        Args:
            table: column -> values.
            start: rows that were generated before.
            rows: in the table.
        """
        entries, seed, table = self.fitted.schema.entries, self.request.seed, dict(table)
        for number, entry in enumerate(entries):
            name = entry.name
            if name in self.request.keep:
                continue
            if entry.surrogate is not None and name not in self.conditions.fixed:
                table[name] = entry.surrogate.make(start, rows, seed)
            elif isinstance(entry.column, Text) and name in table:
                table[name] = self._texts(name, table[name], np.random.default_rng([seed, start, number]))
        return {e.name: table[e.name] for e in entries if e.name in table}

    def _texts(self, name: str, like: pa.Array, random: np.random.Generator) -> pa.Array:
        """Return the texts of a column: the given one, or new ones of the sampled forms and lengths."""
        if name in self.conditions.fixed:
            return self.conditions.fixed[name].take([0] * len(like))
        return self.text_samplers[name].sample(like, random)
