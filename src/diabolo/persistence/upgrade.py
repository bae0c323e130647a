"""Read the cards and tensors of earlier formats as those of the present one.

Format 3 gave what is stored the names that the code has; formats 1 and 2 hold the same under older names.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

T = TypeVar("T")

SOURCE = {"beside": "extra_columns", "groups": "series_names"}
WINDOW_MIXTURE_NAMES = {
    "steps": "is_discrete",
    "twins": "duplicate_of",
    "gaps": "presence_patterns",
    "turns": "transitions",
}
"""Array of the window mixture in formats 1 and 2 -> its name in format 3, where the two differ."""


def upgrade_card(card: Mapping[str, Any]) -> dict[str, Any]:
    """Return a card of format 3 for one of format 1 or 2.

    Args:
        card: as it stands in the file.

    Raises:
        Exception: the card is not one of these formats; a forged one can provoke any.
    """
    source = {SOURCE.get(k, k): v for k, v in card["source"].items()}
    return {**card, "source": source, "schema": [_upgrade_entry(entry) for entry in card["schema"]]}


def _upgrade_entry(entry: Mapping[str, Any]) -> dict[str, Any]:
    entry = dict(entry)
    made = entry.pop("filler", None)
    if made is not None:
        made = {("alphabet" if k == "letters" else k): v for k, v in made.items()}
    return {**entry, "surrogate": made}


def upgrade_window_mixture_name(name: str) -> str:
    """Return the name in format 3 of a tensor of format 1 or 2; other tensors keep their names.

    Example:
        >>> upgrade_window_mixture_name("loom/twins"), upgrade_window_mixture_name("memory/reach")
        ('window_mixture/duplicate_of', 'memory/reach')
    """
    prefix, _, array = name.partition("/")
    return f"window_mixture/{WINDOW_MIXTURE_NAMES.get(array, array)}" if prefix == "loom" else name


def upgrade_tensor_names(tensors: Mapping[str, T]) -> dict[str, T]:
    """Return tensors, or what a header says of them, under the names of format 3.

    Args:
        tensors: name in format 1 or 2 -> tensor.

    Raises:
        ValueError: two tensors would have the same name.
    """
    upgraded = {upgrade_window_mixture_name(name): tensor for name, tensor in tensors.items()}
    if len(upgraded) != len(tensors):
        raise ValueError("two of its tensors have the same meaning")
    return upgraded
