"""New texts for columns of which networks know the form and the length only."""

from __future__ import annotations

from collections.abc import Sequence
from string import ascii_letters, digits

import numpy as np
import pyarrow as pa

from diabolo.data.characters import ORDER, CharacterModel, classes_of
from diabolo.data.columns import Text

# Texts that occur in the fit are sampled again; after so many rounds character by character, without context.
MAX_ROUNDS = 4
ANY_CHARACTERS = (*ascii_letters, *digits)  # where no text of the fit is known


def sample_texts(
    column: Text, values: Sequence[str], like: pa.Array, random: np.random.Generator
) -> pa.Array:
    """Return new texts, each with the classes of characters of one of the fit, but other characters.

    Args:
        column: the fitted column.
        values: different texts of the fit, which are not repeated; empty if they are not known.
        like: (rows,) texts that have the wanted forms and lengths, see `Text.decode`; or nulls.
        random: source of all random numbers.

    Returns:
        (rows,) texts in the type of `like`; nulls where it has them.
    """
    rows = np.flatnonzero(like.is_valid().to_numpy(zero_copy_only=False))
    classes = _classes_like(column, values, like.cast(pa.string()).take(pa.array(rows)), random)
    model = CharacterModel(values or ANY_CHARACTERS, np.ones(len(values or ANY_CHARACTERS)))
    texts, taken = np.full(len(like), None, object), set(values)
    left = np.arange(len(rows))
    for order in (*[ORDER] * MAX_ROUNDS, 0):
        texts[rows[left]] = model.sample([classes[i] for i in left], random, order=order)
        left = left[[texts[rows[i]] in taken for i in left]]
    return pa.array(texts.tolist(), pa.string()).cast(like.type)


def _classes_like(
    column: Text, values: Sequence[str], like: pa.Array, random: np.random.Generator
) -> list[str]:
    """Return for each text the classes of one of the fit with its form and length; else its own classes."""
    known = pa.array(values, pa.string())
    wanted, found = (_numbers(column, text) for text in (like, known))
    order = np.argsort(found, kind="stable")
    low, high = (np.searchsorted(found[order], wanted, side) for side in ("left", "right"))
    picked = low + (random.random(len(wanted)) * (high - low)).astype(np.int64)
    own, of_fit = classes_of(like).to_pylist(), classes_of(known).to_pylist()
    return [of_fit[order[i]] if low[n] < high[n] else own[n] for n, i in enumerate(picked)]


def _numbers(column: Text, text: pa.Array) -> np.ndarray:
    """Return a number for each pair of form and length."""
    (form, _), (length, _) = column.encode(text, "")
    return np.asarray(form * len(column.length_counts) + length)
