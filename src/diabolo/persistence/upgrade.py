"""Translate the cards and tensor names of earlier formats to the present one.

Formats 3 and 4 use the names of the code; formats 1 and 2 hold the same values under older names.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from diabolo.data.fields import Pixels

SOURCE = {"beside": "extra_columns", "groups": "series_names"}
MEMBER = {"full": "full_distribution", "linear": "window_filter", "white": "whiten"}
# Parts of the names of a network's tensors; the first match is used.
NETWORK_KEYS = {
    "white.colour": "base.whitening.unwhitening",
    "white.linear": "base.whitening.window_filter",
    "white": "base.whitening",
    "linear": "base.window_filter",
    "alphabet": "embedding",
    "heads.curve.spread": "heads.curve.scale_layer",
    "heads.pixels.spread": "heads.pixels.scale_layer",
}
WINDOW_MIXTURE_NAMES = {
    "steps": "is_discrete",
    "twins": "duplicate_of",
    "gaps": "presence_patterns",
    "turns": "transitions",
}
# Prefixes of the other tensors, and the names that follow them.
PREFIXES = {
    "residuals/": "evidence/residual/",
    "level/": "evidence/level/",
    "brief/": "evidence/subsequences/",
    "crowd/": "evidence/knn_distance/",
    "calibration/": "calibration/",
    "loom/": "window_mixture/",
    "memory/": "memory/",
}
NAMES = {
    "worst": "largest_error",
    "calm": "stillness",
    "stretches": "remembered",
    "prints": "fingerprints",
    "oddness": "scores",
    "reach": "number_weights",
}


def upgrade_card(card: Mapping[str, Any], tensors: Collection[str]) -> dict[str, Any]:
    """Return a card of format 3 for one of format 1 or 2.

    Args:
        card: as it is in the file.
        tensors: the names of the file's tensors.

    Raises:
        Exception: the card has none of these formats; a forged one can provoke any kind of exception.
    """
    card = dict(card)
    card["source"] = {SOURCE.get(k, k): v for k, v in card["source"].items()}
    card["schema"] = [_upgrade_entry(entry) for entry in card["schema"]]
    members = card["members"].items()
    card["members"] = {name: {MEMBER.get(k, k): v for k, v in member.items()} for name, member in members}
    errors, crowd = card.pop("faults"), card.pop("crowd")
    card["cell_errors"] = {
        "rate": errors["rate"],
        "error_types": errors["ways"],
        "knots": errors["knots"],
        "log_odds": errors["odds"],
    }
    evidence: dict[str, Any] = {name: {} for name in card["calibration"]["medians"]}
    if any(name.startswith("brief/") for name in tensors):
        evidence["subsequences"] = {}
    if crowd is not None:
        medians = {("knn_distance" if k == "crowd" else k): v for k, v in crowd["medians"].items()}
        evidence["knn_distance"] = {**crowd, "medians": medians}
    return {**card, "evidence": evidence}


def upgrade_tensor_name(name: str, evidence: Collection[str]) -> str | None:
    """Return the name of a tensor in format 3; None if it is no longer stored.

    Args:
        name: in format 1 or 2.
        evidence: kinds of evidence that the model has.
    """
    name = name.replace("picture", Pixels.kind)
    if name.startswith("network/"):
        network, _, key = name.rpartition("/")
        return f"{network}/{_upgrade_network_key(key)}"
    prefix = next((p for p in PREFIXES if name.startswith(p)), None)
    if prefix is None:
        return name
    # Models that predict masked points of windows stored error sizes that no score used.
    if prefix == "residuals/" and "residual" not in evidence:
        return None
    rest, names = name.removeprefix(prefix), WINDOW_MIXTURE_NAMES if prefix == "loom/" else NAMES
    return PREFIXES[prefix] + names.get(rest, rest)


def _upgrade_network_key(key: str) -> str:
    """Return the present name of a tensor within its network."""
    padded = f".{key}."
    for old, new in NETWORK_KEYS.items():
        if f".{old}." in padded:
            return padded.replace(f".{old}.", f".{new}.", 1)[1:-1]
    return key


def _upgrade_entry(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return the present form of one column of the schema."""
    entry = dict(entry)
    surrogate = entry.pop("filler", None)
    if surrogate is not None:
        surrogate = {("alphabet" if k == "letters" else k): v for k, v in surrogate.items()}
    return {**entry, "surrogate": surrogate}
