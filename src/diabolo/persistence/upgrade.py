"""Read the cards and tensors of earlier formats as those of the present one.

Format 3 gave what is stored the names that the code has; formats 1 and 2 hold the same under older names.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

SOURCE = {"beside": "extra_columns", "groups": "series_names"}


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
