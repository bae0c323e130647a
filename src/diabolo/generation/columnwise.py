"""Rows of a table, drawn one column after the other."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from diabolo.data.fields import Batch
from diabolo.engine import Engine
from diabolo.errors import OptionError
from diabolo.generation.conditions import LEAST, AllowedValues, Conditions
from diabolo.generation.incremental import IncrementalEncoder
from diabolo.generation.sampling import draw_cell, put

FEWEST, MOST = 64, 1024  # rows that are drawn in one order of the columns
ORDERS = 16  # of few rows
TRIES = 8  # rows that are begun for each that is wanted, where several columns are not free


class ColumnwiseSampler:
    """Draws rows block by block; every block has an order of columns of its own.

    Args:
        engine: a fitted model that draws column by column.
        wishes: what all rows are to be like.
        keep: columns of given rows that are kept.
    """

    def __init__(self, engine: Engine, wishes: Conditions, keep: frozenset[str] = frozenset()) -> None:
        self.engine, self.wishes, self.keep = engine, wishes, keep
        self.turns = IncrementalEncoder(engine.cell_network)
        done = {*wishes.fixed, *wishes.choices, *keep}
        self.left = [name for name in engine.schema.scored if name not in done]
        context = len(engine.schema.used) > len(engine.schema.scored)
        self.weighed = bool(wishes.choices) and (context or len(wishes.choices) > 1)

    def rows(self, count: int) -> Batch:
        """New rows; what is read beside them is that of remembered rows."""
        remembered = self.engine.memory.rows
        blocks = []
        turn = _turn(count)
        for start in range(0, count, turn):
            size = min(turn, count - start) * (TRIES if self.weighed else 1)
            blocks.append(self._block(remembered[torch.randint(len(remembered), (size,))]))
        return Batch.concatenate(blocks)

    def like(self, batch: Batch) -> Batch:
        """Rows with the kept columns, and the context, of these."""
        return Batch.concatenate([self._block(block) for block in batch.chunks(_turn(len(batch)))])

    def _block(self, known: Batch) -> Batch:
        schema = self.engine.schema
        kept = {slot for name in self.keep for slot in schema.slots_of(name)}
        shown = {k: torch.zeros_like(v) for k, v in known.visible.items()}
        absent = {k: torch.zeros_like(shown[k]) for k in self.turns.network.presence_fields}
        for slot in schema.slots:
            if slot in kept or slot.name not in schema.scored:
                there = known.visible[slot.kind][:, slot.index]
                shown[slot.kind][:, slot.index] = there
                if slot in kept and slot.kind in absent:
                    absent[slot.kind][:, slot.index] = ~there
        values = {k: v.clone() for k, v in known.values.items()}
        batch = Batch(values, shown)
        for name, value in self.wishes.fixed.items():
            batch = put(self.engine, batch, name, value.take([0] * len(batch)))
        self.turns.begin(replace(batch, absent=absent).to(self.engine.device))
        if self.wishes.choices:
            batch = self._choose(batch)
        for place in torch.randperm(len(self.left)).tolist():
            self._draw(self.left[place], batch)
        return batch

    def _choose(self, batch: Batch) -> Batch:
        """Draw the columns of which only some values are wanted, then keep rows by how probable those were.

        A row that was begun so that the later choices are improbable should have been begun less often:
        sampling and importance resampling (Rubin, 1987), exact as the number of rows begun grows.
        """
        log_p = torch.zeros(len(batch))
        names = list(self.wishes.choices)
        for place in torch.randperm(len(names)).tolist():
            log_p += self._draw(names[place], batch, self.wishes.choices[names[place]])
        if not bool((log_p > torch.tensor(LEAST).log()).any()):
            raise OptionError(
                "given: rows with such values were never seen, and are too improbable to draw",
                hint="give fewer columns, or wider ranges",
            )
        if not self.weighed:
            return batch
        # The context is what remembered rows have, so the choices weigh it as well.
        kept = torch.multinomial((log_p - log_p.max()).exp(), len(batch) // TRIES, replacement=True)
        self.turns.only(kept.to(self.engine.device))
        return batch[kept]

    def _draw(self, name: str, batch: Batch, choice: AllowedValues | None = None) -> Tensor:
        """Draw a column into the codes; (rows,) the log of how probable the choice was."""
        schema, column = self.engine.schema, self.engine.schema[name]
        slots, turns, rows = schema.slots_of(name), self.turns, len(batch)
        h = turns.known()
        there, log_p = torch.ones(rows, dtype=torch.bool), torch.zeros(rows)
        sure = turns.presence(h, slots[0].kind, slots[0].index)
        if sure is not None and choice is None:
            there = torch.rand(rows) < sure.cpu()
        parts = []
        for slot in slots:
            said = turns.likelihood(h, slot.kind, slot.index)
            share = torch.rand(rows, 1)
            if choice is not None and slot == choice.slot:
                value, mass = choice.draw(said, share.to(h.device))
                log_p = mass.cpu().clamp_min(LEAST / 10).log()
                log_p = log_p if sure is None else log_p + sure.cpu().clamp_min(LEAST).log()
                parts.append(value.cpu())
            else:
                parts.append(draw_cell(said, schema.fields[slot.kind][slot.index], share.to(h.device)))
        if len(slots) > 1:
            # A date's parts belong together: its hour and its weekday are those of the moment that was drawn.
            again = column.encode(column.decode([part.numpy() for part in parts]), name)
            parts = [torch.from_numpy(part) for part, _ in again]
        for slot, part in zip(slots, parts, strict=True):
            batch.values[slot.kind][:, slot.index] = part
            batch.visible[slot.kind][:, slot.index] = there
            turns.show(slot.kind, slot.index, part.to(h.device), there.to(h.device))
        return log_p


def _turn(count: int) -> int:
    """Rows in a block: what is wrong in one order should not be wrong in all rows."""
    return min(max(-(-count // ORDERS), FEWEST), MOST)
