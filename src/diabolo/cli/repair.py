"""What the command `repair` says and writes about the cells that it changed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from diabolo.cli.output import check_format
from diabolo.errors import OptionError
from diabolo.report.formatting import count_of

if TYPE_CHECKING:
    import pyarrow as pa

    from diabolo.tasks import Repaired


def check_changes(changes: Path | None, output: Path | None) -> None:
    """Check before the work starts that the list of changes can be written.

    Args:
        changes: the file for the list; None for no list.
        output: the file for the repaired data.

    Raises:
        DataError: the format of the list is not known, or the file cannot be written there.
        OptionError: the list has no file of its own.
    """
    if changes is None:
        return
    if str(changes) == "-" or changes == output:
        raise OptionError(
            f"changes={changes}: the list of changes needs a file of its own", hint="--changes changes.csv"
        )
    check_format(changes)


def repair_message(answer: Repaired) -> str:
    """Return how many cells were changed, and how many suspicious ones were left, in one sentence."""
    from diabolo.tasks.repair import ACCEPTED, MISSING

    why = answer.changed["why"].to_pylist()
    filled, accepted = why.count(MISSING), why.count(ACCEPTED)
    if accepted:
        return f"{count_of(accepted, 'accepted correction')} made, all other cells left as they are"
    left = count_of(len(answer.doubtful["row"]), "suspicious cell")
    corrected = count_of(len(why) - filled, "cell")
    return f"{count_of(filled, 'missing value')} filled, {corrected} corrected, {left} left as they are"


def change_table(answer: Repaired) -> pa.Table:
    """Return the changed cells, and the suspicious ones that were not changed, in the order of the rows."""
    import pyarrow as pa

    changed, left = pa.table(answer.changed), pa.table(answer.doubtful)
    names = ["row", "column", "old", "new", "why", "p_wrong"]
    nothing = pa.nulls(left.num_rows, pa.string())
    left = left.rename_columns(["row", "column", "old", "why", "p_wrong"]).append_column("new", nothing)
    return pa.concat_tables([changed.select(names), left.select(names)]).sort_by("row")
