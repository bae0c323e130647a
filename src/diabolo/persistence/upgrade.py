"""Read the cards and tensors of earlier formats as those of the present one.

Format 3 gave what is stored the names that the code has; formats 1 and 2 hold the same under older names.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

Stored = TypeVar("Stored")

SOURCE = {"beside": "extra_columns", "groups": "series_names"}
MEMBER = {"full": "full_distribution", "linear": "window_filter", "white": "whiten"}

NETWORK_KEYS = {
    "white.colour": "base.whitening.unwhitening",
    "white.linear": "base.whitening.window_filter",
    "white": "base.whitening",
    "linear": "base.window_filter",
    "alphabet": "embedding",
    "heads.curve.spread": "heads.curve.scale_layer",
    "heads.picture.spread": "heads.picture.scale_layer",
}
"""Parts of the names of a network's tensors in formats 1 and 2 -> in format 3; the first that fits counts."""


def upgrade_card(card: Mapping[str, Any]) -> dict[str, Any]:
    """Return a card of format 3 for one of format 1 or 2.

    Args:
        card: as it stands in the file.

    Raises:
        Exception: the card is not one of these formats; a forged one can provoke any.
    """
    return {
        **card,
        "source": {SOURCE.get(k, k): v for k, v in card["source"].items()},
        "schema": [_upgrade_entry(entry) for entry in card["schema"]],
        "members": {
            name: {MEMBER.get(k, k): v for k, v in member.items()} for name, member in card["members"].items()
        },
    }


def upgrade_names(tensors: Mapping[str, Stored]) -> dict[str, Stored]:
    """Return what is stored for tensors under their names in format 3.

    Raises:
        ValueError: two of them have one name; only a forged file can have such.
    """
    upgraded = {upgrade_tensor_name(name): stored for name, stored in tensors.items()}
    if len(upgraded) != len(tensors):
        raise ValueError("two tensors have one name")
    return upgraded


def upgrade_tensor_name(name: str) -> str:
    """Return the name in format 3 of a tensor of format 1 or 2."""
    if name.startswith("network/"):
        network, _, key = name.rpartition("/")
        return f"{network}/{_upgrade_network_key(key)}"
    return name


def _upgrade_network_key(key: str) -> str:
    padded = f".{key}."
    for old, new in NETWORK_KEYS.items():
        if f".{old}." in padded:
            return padded.replace(f".{old}.", f".{new}.", 1)[1:-1]
    return key


def _upgrade_entry(entry: Mapping[str, Any]) -> dict[str, Any]:
    entry = dict(entry)
    made = entry.pop("filler", None)
    if made is not None:
        made = {("alphabet" if k == "letters" else k): v for k, v in made.items()}
    return {**entry, "surrogate": made}
