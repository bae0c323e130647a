"""Folders of images, and lists of image files, as tables."""

from __future__ import annotations

import os
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from diabolo.data.files import read_file
from diabolo.data.images.decoding import image_facts
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
        folder: its sub-folders are read too; hidden ones and links to folders are not.

    Raises:
        DataError: there is no image in it that can be read.
    """
    found = _walk(folder)
    if not found.images:
        raise DataError(
            f"{folder} has no images in it{found.others_in_words()}",
            hint=f"a folder with {', '.join(SUFFIXES[:5])} files",
        )
    kept = _readable(found, folder)
    table = pa.table({IMAGE_COLUMN: pa.array([str(p) for p in kept], pa.string())})
    labels = [p.parent.name if p.parent != folder else None for p in kept]
    if any(label is not None for label in labels):
        table = table.append_column(LABEL_COLUMN, pa.array(labels, pa.string()))
    names = [p.relative_to(folder).as_posix() for p in kept]
    for path in found.tables:
        table = _with_csv(table, names, path)
    return table


@dataclass
class _Found:
    """What lies below a folder.

    Attributes:
        images: files whose names say that they are images.
        others: how many other files there are, by suffix.
        tables: csv files of the folder itself.
        problems: what could not be read, and why.
    """

    images: list[Path] = field(default_factory=list)
    others: Counter[str] = field(default_factory=Counter)
    tables: list[Path] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def others_in_words(self) -> str:
        """Return what else there is, for the message that there is no image."""
        kinds = ", ".join(
            f"{count} {suffix or 'without suffix'}" for suffix, count in self.others.most_common(4)
        )
        seen = f", but files of other kinds: {kinds}" if kinds else ""
        return seen + (f"; {self.problems[0]}" if self.problems else "")


def _walk(folder: Path) -> _Found:
    """Return what lies below a folder, in the order of its names."""
    found = _Found()

    def note(error: OSError) -> None:
        found.problems.append(f"{error.filename} cannot be read: {error.strerror}")

    for place, folders, names in os.walk(folder, onerror=note):
        linked = [name for name in sorted(folders) if os.path.islink(os.path.join(place, name))]
        found.problems += [f"{Path(place) / name} is a link to a folder" for name in linked]
        folders[:] = sorted(n for n in folders if not n.startswith(".") and n not in linked)
        for name in sorted(n for n in names if not n.startswith(".")):
            _sort_in(found, Path(place) / name, at_top=Path(place) == folder)
    return found


def _sort_in(found: _Found, path: Path, *, at_top: bool) -> None:
    """Add a file to what was found.

    Args:
        found: what it is added to.
        path: of the file.
        at_top: whether it lies in the folder itself.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        found.others[suffix] += 1
        if at_top and suffix in (".csv", ".tsv"):
            found.tables.append(path)
    elif _is_text(str(path)):
        found.images.append(path)
    else:
        found.problems.append(f"the name of {os.fsencode(path)!r} is no text")


def _is_text(name: str) -> bool:
    """Return whether a name can be written as UTF-8: names of files may be any bytes."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _readable(found: _Found, folder: Path) -> list[Path]:
    """Return the images that can be read; the others are named in a warning.

    Raises:
        DataError: there are none.
    """
    good, bad, several = [], [], []
    for path in found.images:
        try:
            facts = image_facts(path)
        except DataError as error:
            bad.append(error)
            continue
        good.append(path)
        if facts.several:
            several.append(str(path))
    if not good:
        raise DataError(f"no image of {folder} can be read: {bad[0].message}", hint=bad[0].hint)
    _warn("left out, since they cannot be read", [*(e.message for e in bad), *found.problems])
    _warn("of files that hold several images, the first is read", several)
    return good


def _warn(what: str, names: Sequence[str]) -> None:
    """Warn of files, if there are any.

    Args:
        what: happens with them.
        names: of the files, perhaps with a reason.
    """
    if not names:
        return
    listed = "; ".join(name.splitlines()[0] for name in names[:MAX_NAMED])
    more = f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else ""
    warnings.warn(f"{what}: {listed}{more}", DiaboloWarning, stacklevel=5)


def _with_csv(table: pa.Table, names: Sequence[str], path: Path) -> pa.Table:
    """Return a table of images with the columns of a csv file that names them; unchanged if it does not.

    Args:
        table: of the images.
        names: of the images, below the folder of the csv file.
        path: of the csv file.
    """
    try:
        rows = read_file(path)
    except DataError as error:
        _warn("not read beside the images", [error.message])
        return table
    for column, values in zip(rows.column_names, rows.columns, strict=True):
        if not pa.types.is_string(values.type):
            continue
        lines, repeated = _lines_of(names, values.to_pylist())
        if repeated is not None:
            _warn("not read beside the images", [f"{path} has two lines for {repeated}"])
            return table
        if sum(line is not None for line in lines) >= MIN_DESCRIBED * len(names):
            return _joined(table, rows.drop_columns([column]).take(pa.array(lines, pa.int64())))
        if any(is_image_path(value) for value in values.to_pylist()[:MAX_NAMED]):
            _warn("not read beside the images", [f"{path} names other files than those of the folder"])
            return table
    return table


def _lines_of(names: Sequence[str], values: Sequence[str | None]) -> tuple[list[int | None], str | None]:
    """Return the line of each image in a column of file names, and the first image that has two lines.

    Args:
        names: of the images, with their folders.
        values: with their folders, or without where one image alone has the name; also without suffix.
    """
    places: dict[str, list[int]] = {}
    for line, value in enumerate(values):
        if value is not None:
            places.setdefault(os.path.normpath(value.replace("\\", "/")), []).append(line)
    count = Counter(key for name in names for key in dict.fromkeys(_short_names(name)))
    lines: list[int | None] = []
    for name in names:
        keys = [name, *(key for key in _short_names(name) if count[key] == 1)]
        found = next((places[key] for key in keys if key in places), [])
        if len(found) > 1:
            return lines, name
        lines.append(found[0] if found else None)
    return lines, None


def _short_names(name: str) -> tuple[str, str, str]:
    """Return the name of an image without its suffix, without its folders, and without both."""
    path = Path(name)
    return str(path.with_suffix("")), path.name, path.stem


def _joined(table: pa.Table, more: pa.Table) -> pa.Table:
    """Return a table of images with more columns, in place of those of the same name but for the images."""
    for column in more.column_names:
        if column == IMAGE_COLUMN:
            continue
        if column in table.column_names:
            table = table.drop_columns([column])
        table = table.append_column(column, more[column])
    return table
