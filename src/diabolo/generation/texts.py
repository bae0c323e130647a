"""New texts for columns of which networks know the form and the length only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from string import ascii_letters, digits

import numpy as np
import pyarrow as pa

from diabolo.data.characters import ORDER, CharacterModel, classes_of
from diabolo.data.columns import Text

# Texts that occur in the fit are sampled again; after so many rounds character by character, without context.
MAX_ROUNDS = 4
ANY_CHARACTERS = (*ascii_letters, *digits)  # where no text of the fit is known


@dataclass(frozen=True)
class TextSampler:
    """Samples texts, each with the classes of characters of one of the fit, but other characters.

    Attributes:
        column: the fitted column.
        values: different texts of the fit, which are not repeated; empty if they are not known.
    """

    column: Text
    values: Sequence[str]

    def sample(self, like: pa.Array, random: np.random.Generator) -> pa.Array:
        """Return new texts.

        Args:
            like: (rows,) texts that have the wanted forms and lengths, see `Text.decode`; or nulls.
            random: source of all random numbers.

        Returns:
            (rows,) texts in the type of `like`; nulls where it has them.
        """
        rows = np.flatnonzero(like.is_valid().to_numpy(zero_copy_only=False))
        classes = self._classes_like(like.cast(pa.string()).take(pa.array(rows)), random)
        texts, taken = np.full(len(like), None, object), set(self.values)
        left = np.arange(len(rows))
        for order in (*[ORDER] * MAX_ROUNDS, 0):
            texts[rows[left]] = self._model.sample([classes[i] for i in left], random, order=order)
            left = left[[texts[rows[i]] in taken for i in left]]
        return pa.array(texts.tolist(), pa.string()).cast(like.type)

    @cached_property
    def _model(self) -> CharacterModel:
        values = self.values or ANY_CHARACTERS
        return CharacterModel(values, np.ones(len(values)))

    def _classes_like(self, like: pa.Array, random: np.random.Generator) -> list[str]:
        """Return for each text the classes of one of the fit with its form and length; else its own."""
        known = pa.array(self.values, pa.string())
        wanted, found = (self._numbers(text) for text in (like, known))
        order = np.argsort(found, kind="stable")
        low, high = (np.searchsorted(found[order], wanted, side) for side in ("left", "right"))
        picked = low + (random.random(len(wanted)) * (high - low)).astype(np.int64)
        own, of_fit = classes_of(like).to_pylist(), classes_of(known).to_pylist()
        return [of_fit[order[i]] if low[n] < high[n] else own[n] for n, i in enumerate(picked)]

    def _numbers(self, text: pa.Array) -> np.ndarray:
        """Return a number for each pair of form and length."""
        (form, _), (length, _) = self.column.encode(text, "")
        return np.asarray(form * len(self.column.length_counts) + length)
