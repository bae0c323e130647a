"""The cells of an explanation as a terminal shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from diabolo.utils.text import shorten

if TYPE_CHECKING:
    import pyarrow as pa

MAX_SHOWN_CHARS = 40  # of a value: a choice


def cells_to_show(answer: pa.Table) -> pa.Table:
    """Return the cells of rows, the largest share first, in fewer and narrower columns than the answer has.

    The range of a prediction is one column, and columns without any value are left out.

    Args:
        answer: the columns of an `Explanation`.
    """
    import pyarrow as pa

    table = answer.sort_by([("row", "ascending"), ("share", "descending")]).to_pydict()
    both = zip(table["low"], table["high"], strict=True)
    shown: dict[str, list[Any]] = {name: table[name] for name in ("row", "column", "observed", "expected")}
    shown["range"] = [None if low is None else f"{_text(low)} to {_text(high)}" for low, high in both]
    shown["p_wrong"] = [round(p, 3) for p in table["p_wrong"]]
    shown["share"] = [round(share, 1) for share in table["share"]]
    shown["why"] = table["why"]
    for name in ("column", "observed", "expected"):
        shown[name] = [shorten(v, MAX_SHOWN_CHARS) if isinstance(v, str) else v for v in shown[name]]
    kept = {
        name: values
        for name, values in shown.items()
        if name not in ("range", "why") or any(v is not None for v in values)
    }
    return pa.table(kept)


def _text(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
