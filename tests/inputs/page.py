"""Write docs/input.md: how every kind of input is handled, from the cases that the tests run over.

python -m tests.inputs.page
"""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

from tests.inputs.everything import KINDS
from tests.inputs.kinds import STAGES, Expected, Refusal

PAGE = Path(__file__).resolve().parents[2] / "docs" / "input.md"
HEAD = f"""# Input formats

Handling of unusual and invalid input: **{len(KINDS)} kinds, each tested at fit, score, explain and repair.**
This page is generated from the tests of these cases (`python -m tests.inputs.page`).

Invalid input raises a `DiaboloError` that reports what was received, where, and a hint; the brackets show
what the message names. All answers are finite, of the length of the data, and in its dataframe library; a
repaired table keeps the types and the index of the input. *Fit* is called on the unusual input itself, and
the model must then be able to score it; *score*, *explain* and *repair* are called on a model that was fitted
on the same data without the unusual input.
"""


def shown(expected: Expected) -> str:
    """One cell of the table."""
    if isinstance(expected, Refusal):
        named = ", ".join(_short(word) for word in expected.words)
        return f"`{expected.error.__name__}` ({named})"
    return _short(expected.says)


def page() -> str:
    """The whole page."""
    parts = [HEAD]
    for group, kinds in groupby(KINDS, lambda kind: kind.group):
        parts.append(f"\n## {group}\n\n| input | {' | '.join(STAGES)} |\n|{'---|' * (len(STAGES) + 1)}\n")
        for kind in kinds:
            cells = [_short(kind.name), *(shown(kind.expected[stage]) for stage in STAGES)]
            parts.append(f"| {' | '.join(cells)} |\n")
    return "".join(parts)


def _short(text: str) -> str:
    text = text.encode("unicode_escape").decode() if not text.isprintable() else text
    text = text if len(text) <= 90 else f"{text[:60]}..."
    return text.replace("|", "\\|").replace("<", "&lt;").replace("[", "\\[")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
