"""Rows of a table, sampled one column after the other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from diabolo.data.fields import Batch
from diabolo.data.schema import Slot
from diabolo.errors import OptionError
from diabolo.generation.base import Fitted, Request, Table
from diabolo.generation.conditions import MIN_PROBABILITY, AllowedValues, is_choice
from diabolo.generation.incremental import IncrementalEncoder
from diabolo.generation.sampling import (
    decode_batch,
    exclude_unseen,
    sample_field,
    samples_columnwise,
    sampling_mode,
    with_values,
)
from diabolo.generation.tables import MAX_ROUNDS, TableSampler

_MIN_BLOCK, _MAX_BLOCK = 64, 1024  # rows that are sampled in one order of the columns; a choice
_MIN_ORDERS = 16  # orders of the columns, where there are rows enough; a choice
_CANDIDATES = 8  # rows begun for each that is wanted, where several columns are restricted; a choice
_MAX_NAMES_SHOWN = 20


class ColumnwiseSampler(TableSampler):
    """Samples rows block by block; every block has a random order of columns of its own.

    Each column is sampled given those before it in the order (Uria et al., "A deep and tractable density
    estimator", 2014), and whether there is a value at all. Context columns are those of remembered rows.

    Attributes:
        encoder: the rows as the network reads them, updated column by column.
        free: scored columns that are sampled without restriction.
        resamples: whether restricted columns need importance resampling.
    """

    name = "column by column"

    def __init__(self, fitted: Fitted, request: Request) -> None:
        super().__init__(fitted, request)
        schema, choices = fitted.schema, self.conditions.choices
        self.encoder = IncrementalEncoder(fitted.cell_network)
        restricted = {*self.conditions.fixed, *choices, *request.keep}
        self.free = [name for name in schema.scored if name not in restricted]
        has_context = len(schema.used) > len(schema.scored)
        self.resamples = bool(choices) and (has_context or len(choices) > 1)
        self.names = [e.name for e in schema.used]

    @classmethod
    def serves(cls, fitted: Fitted) -> bool:
        return not fitted.source.overlaps and samples_columnwise(fitted)

    @classmethod
    def accepts(cls, fitted: Fitted, request: Request) -> None:
        """Refuse what no table sampled column by column has.

        Args:
            fitted: a model that the sampler serves.
            request: what is asked for.

        Raises:
            OptionError: `keep`, `series` or `given` does not fit the table.
        """
        super().accepts(fitted, request)
        scored = fitted.schema.scored
        for name in request.keep:
            if name not in scored:
                raise OptionError(
                    f"keep names the column {name!r}, which is not sampled",
                    hint=f"one of {', '.join(scored[:_MAX_NAMES_SHOWN])}",
                )
        if request.like is not None and any(map(is_choice, request.given.values())):
            raise OptionError(
                "given: together with like, a column takes one value", hint='given={"sex": "Female"}'
            )

    def sample(self, n: int) -> Table:
        return decode_batch(self.fitted, self._sample_rows(n), self.names)

    def batches(self) -> Iterator[Table]:
        if self.request.like is None:
            yield from super().batches()
        else:
            yield self._sample_like()

    def _sample_rows(self, count: int) -> Batch:
        """Sample encoded rows; their context is that of remembered rows."""
        remembered = self.fitted.memory.rows
        blocks = []
        step = _block_rows(count)
        for start in range(0, count, step):
            size = min(step, count - start) * (_CANDIDATES if self.resamples else 1)
            blocks.append(self._sample_block(remembered[torch.randint(len(remembered), (size,))]))
        return Batch.concatenate(blocks)

    def _sample_like(self) -> Table:
        """Sample rows with the kept columns of other rows; those that violate a constraint again."""
        frame = self.fitted.read(self.request.like)
        count = self.request.n or frame.rows
        which = np.arange(count) % frame.rows
        batch = self.fitted.schema.encode(frame[which])
        with sampling_mode(self.fitted, self.request.seed):
            sampled = self._sample_keeping(batch)
            for _ in range(MAX_ROUNDS):
                table = decode_batch(self.fitted, sampled, self.names)
                violating = np.flatnonzero(~self.conditions.satisfied(table))
                if len(violating) == 0:
                    break
                rows = torch.from_numpy(violating)
                sampled = sampled.put(rows, self._sample_keeping(batch[rows]))
            else:
                raise OptionError(
                    f"no row like row {which[violating[0]]} satisfies {self.conditions.describe()}",
                    hint="keep fewer columns",
                )
        original = frame.user_table.columns()
        for name in self.request.keep:  # as they are, to the last digit
            values = original[name]
            table[name] = values.take(pa.array(which)) if isinstance(values, pa.Array) else values[which]
        return self.complete(dict(table), 0, count)

    def _sample_keeping(self, batch: Batch) -> Batch:
        """Sample rows with the kept columns, and the context, of these."""
        blocks = batch.chunks(_block_rows(len(batch)))
        return Batch.concatenate([self._sample_block(block) for block in blocks])

    def _sample_block(self, known: Batch) -> Batch:
        """Sample rows in one order of the columns, given kept columns, context and fixed values."""
        batch, absent = self._conditioned_on(known)
        self.encoder.begin(replace(batch, absent=absent).to(self.fitted.device))
        if self.conditions.choices:
            batch = self._sample_choices(batch)
        for index in torch.randperm(len(self.free)).tolist():
            self._sample_column(self.free[index], batch)
        return batch

    def _conditioned_on(self, known: Batch) -> tuple[Batch, dict[str, Tensor]]:
        """Return rows that show only what is conditioned on, and which kept cells have no value."""
        schema = self.fitted.schema
        kept = {slot for name in self.request.keep for slot in schema.slots_of(name)}
        visible = {k: torch.zeros_like(v) for k, v in known.visible.items()}
        absent = {k: torch.zeros_like(visible[k]) for k in self.encoder.network.presence_fields}
        for slot in schema.slots:
            if slot in kept or slot.name not in schema.scored:
                present = known.visible[slot.kind][:, slot.index]
                visible[slot.kind][:, slot.index] = present
                if slot in kept and slot.kind in absent:
                    absent[slot.kind][:, slot.index] = ~present
        batch = Batch({k: v.clone() for k, v in known.values.items()}, visible)
        for name, value in self.conditions.fixed.items():
            batch = with_values(self.fitted, batch, name, value.take([0] * len(batch)))
        return batch, absent

    def _sample_choices(self, batch: Batch) -> Batch:
        """Sample the restricted columns, then keep rows in proportion to the probability of the choices.

        A row that was begun so that the later choices are improbable should have been begun less often:
        sampling and importance resampling (Rubin, 1987), exact as the number of rows begun grows.
        """
        log_p = torch.zeros(len(batch))
        names = list(self.conditions.choices)
        for index in torch.randperm(len(names)).tolist():
            log_p += self._sample_column(names[index], batch, self.conditions.choices[names[index]])
        if not bool((log_p > torch.tensor(MIN_PROBABILITY).log()).any()):
            raise OptionError(
                "given: rows with these values do not occur together, and are too improbable to sample",
                hint="give fewer columns, or wider ranges",
            )
        if not self.resamples:
            return batch
        # The context is what remembered rows have, so the choices weigh it as well.
        weights = (log_p - log_p.max()).exp()
        kept = torch.multinomial(weights, len(batch) // _CANDIDATES, replacement=True)
        self.encoder.select(kept.to(self.fitted.device))
        return batch[kept]

    def _sample_column(self, name: str, batch: Batch, allowed: AllowedValues | None = None) -> Tensor:
        """Sample a column into the batch; return (rows,) the log-probability of the allowed values."""
        schema, column = self.fitted.schema, self.fitted.schema[name]
        slots, rows = schema.slots_of(name), len(batch)
        h = self.encoder.decode()
        present, log_p = torch.ones(rows, dtype=torch.bool), torch.zeros(rows)
        p_present = self.encoder.presence(h, slots[0].kind, slots[0].index)
        if p_present is not None and allowed is None:
            present = torch.rand(rows) < p_present.cpu()
        parts = []
        for slot in slots:
            share = torch.rand(rows, 1)
            if allowed is not None and slot == allowed.slot:
                value, log_p = self._sample_allowed(h, allowed, share)
                if p_present is not None:
                    log_p = log_p + p_present.cpu().clamp_min(MIN_PROBABILITY).log()
            else:
                value = self._sample_slot(h, slot, share)
            parts.append(value)
        if len(slots) > 1:
            # The parts of a date belong together: its hour and weekday are those of the sampled moment.
            again = column.encode(column.decode([part.numpy() for part in parts]), name)
            parts = [torch.from_numpy(part) for part, _ in again]
        for slot, part in zip(slots, parts, strict=True):
            batch.values[slot.kind][:, slot.index] = part
            batch.visible[slot.kind][:, slot.index] = present
            self.encoder.reveal(slot.kind, slot.index, part.to(h.device), present.to(h.device))
        return log_p

    def _sample_slot(self, h: Tensor, slot: Slot, share: Tensor) -> Tensor:
        """Sample (rows,) values of a field."""
        likelihood = self.encoder.likelihood(h, slot.kind, slot.index)
        return sample_field(
            likelihood, [self.fitted.schema.fields[slot.kind][slot.index]], share.to(h.device)
        )[:, 0]

    def _sample_allowed(self, h: Tensor, allowed: AllowedValues, share: Tensor) -> tuple[Tensor, Tensor]:
        """Sample (rows,) allowed values of a field; also return the log of their probability."""
        likelihood = self.encoder.likelihood(h, allowed.slot.kind, allowed.slot.index)
        value, mass = allowed.sample(exclude_unseen(likelihood), share.to(h.device))
        return value.cpu(), mass.cpu().clamp_min(MIN_PROBABILITY / 10).log()


def _block_rows(count: int) -> int:
    """Return the rows of a block: errors of one order of columns should not be in all rows."""
    return min(max(-(-count // _MIN_ORDERS), _MIN_BLOCK), _MAX_BLOCK)
