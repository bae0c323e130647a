"""Folders of images, and lists of image files, as tables."""

from __future__ import annotations

import os
import warnings
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from diabolo.data.files import read_file
from diabolo.data.images.decoding import image_size
from diabolo.errors import DataError, DiaboloWarning

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp", ".pgm", ".ppm", ".gif")
IMAGE_COLUMN = "image"  # the paths of the images
LABEL_COLUMN = "label"  # the names of their folders
MAX_NAMED = 5  # files that a message names
MIN_DESCRIBED = 0.5  # of the images, that a csv file must name in order to belong to them


def is_image_path(value: Any) -> bool:
    """Return whether a value is the path of a file whose name says that it is an image."""
    return isinstance(value, str | Path) and Path(value).suffix.lower() in SUFFIXES


def read_image_folder(folder: Path) -> pa.Table:
    """Return the images below a folder as a table, in the order of their names.

    The table has the columns `image` (paths) and, if images lie in sub-folders, `label` (the name of the
    folder of each). A csv file in the folder that has a column of file names adds its other columns.
    Files that cannot be read are left out, with a warning that names them.

    Args:
        folder: its sub-folders are read too; links to folders are not followed.

    Raises:
        DataError: there is no image in it that can be read.
    """
    paths, others, tables = _walk(folder)
    if not paths:
        kinds = ", ".join(f"{count} {suffix or 'without suffix'}" for suffix, count in others.most_common(4))
        raise DataError(
            f"{folder} has no images in it" + (f", but files of other kinds: {kinds}" if kinds else ""),
            hint=f"a folder with {', '.join(SUFFIXES[:5])} files",
        )
    table = read_image_files(paths, str(folder))
    kept = [Path(p) for p in table[IMAGE_COLUMN].to_pylist()]
    labels = [p.parent.name if p.parent != folder else None for p in kept]
    if any(label is not None for label in labels):
        table = table.append_column(LABEL_COLUMN, pa.array(labels, pa.string()))
    for path in tables:
        table = _with_csv(table, [str(p.relative_to(folder)) for p in kept], path)
    return table


def read_image_files(paths: Iterable[str | Path], place: str = "the list") -> pa.Table:
    """Return image files as a table of one column, without those that cannot be read, which are named.

    Args:
        paths: of the files.
        place: where they come from, for messages.

    Raises:
        DataError: none of them can be read.
    """
    good, bad = [], []
    for path in paths:
        try:
            image_size(path)
            good.append(str(path))
        except DataError as error:
            bad.append(str(error).splitlines()[0])
    if not good:
        raise DataError(f"no image of {place} can be read: {bad[0]}", hint="write them again as png or jpeg")
    if bad:
        more = f" and {len(bad) - MAX_NAMED} more" if len(bad) > MAX_NAMED else ""
        warnings.warn(
            f"left out, since they cannot be read: {'; '.join(bad[:MAX_NAMED])}{more}",
            DiaboloWarning,
            stacklevel=4,
        )
    return pa.table({IMAGE_COLUMN: pa.array(good, pa.string())})


def _walk(folder: Path) -> tuple[list[Path], Counter[str], list[Path]]:
    """Return the image files below a folder, how many others there are by suffix, and its csv files."""
    images: list[Path] = []
    others: Counter[str] = Counter()
    tables: list[Path] = []
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = Path(place) / name
            if name.startswith("."):
                continue
            if path.suffix.lower() in SUFFIXES and not path.is_dir():
                images.append(path)
            else:
                others[path.suffix.lower()] += 1
                if path.parent == folder and path.suffix.lower() in (".csv", ".tsv"):
                    tables.append(path)
    return images, others, tables


def _with_csv(table: pa.Table, names: Sequence[str], path: Path) -> pa.Table:
    """Return a table of images with the columns of a csv file that names them; unchanged if it does not."""
    try:
        rows = read_file(path)
    except DataError:
        return table
    for name, values in zip(rows.column_names, rows.columns, strict=True):
        if not pa.types.is_string(values.type):
            continue
        lines = {value: line for line, value in enumerate(values.to_pylist())}
        found = [lines.get(n, lines.get(Path(n).name, lines.get(Path(n).stem))) for n in names]
        if sum(line is not None for line in found) >= MIN_DESCRIBED * len(names):
            taken = rows.drop_columns([name]).take(pa.array(found, pa.int64()))
            for column in taken.column_names:
                if column in table.column_names:
                    table = table.drop_columns([column])
                table = table.append_column(column, taken[column])
            return table
    return table
