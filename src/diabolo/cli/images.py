"""The commands that denoise, match and recognise: what images are compared and cleaned with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from diabolo.cli.arguments import Data, ImageModelPath, Json, ModelPath, Output, OutputOrFolder, Quiet
from diabolo.cli.inputs import fit_model, load_model, read_data
from diabolo.cli.output import (
    add_key_columns,
    check_answer,
    check_format,
    check_images,
    path_columns,
    write_answer,
    write_images_or_rows,
)
from diabolo.errors import need

if TYPE_CHECKING:
    from pathlib import Path

    from cyclopts import Parameter

    from diabolo.data.sources import UserTable
    from diabolo.tasks import Answer
else:
    Parameter = need("cyclopts", "cli").Parameter


def denoise(
    data: Data,
    *,
    model: ImageModelPath = None,
    noise: float | None = None,
    best: Annotated[bool, Parameter(negative=())] = False,
    output: OutputOrFolder = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Remove noise from DATA: from rows with a model, from a folder of images with a model or without.

    Args:
        data: The rows to denoise: a file, a folder of images, or - for csv on standard input.
        noise: The standard deviation of the noise of images, in the units of their pixels, for example 25 of
            255; without it, it is estimated from each image.
        best: Take the mean over four turns of each image: slower, and a little better.
    """
    from diabolo import tasks

    check_answer(output)
    rows = read_data(data)
    check_images(rows, output)
    loaded = fit_model(rows, {"recipe": "denoising"}, quiet) if model is None else load_model(model)
    write_images_or_rows(tasks.denoise(loaded, rows, noise=noise, best=best), output, json, quiet)


def match(
    data: Data,
    gallery: Data,
    *,
    model: ModelPath,
    k: Annotated[int, Parameter(name=["--k", "-k"])] = 1,
    output: Output = None,
    json: Json = False,
) -> None:
    """Find the rows of GALLERY that are most similar to each row of DATA.

    Args:
        data: The rows to find matches for: a file, or - for csv on standard input.
        gallery: The rows to search: a file, or - for csv on standard input.
        k: The number of rows of GALLERY to find for each row.
    """
    from diabolo import tasks

    check_format(output)
    rows, known = read_data(data), read_data(gallery)
    table = tasks.match(load_model(model), rows, gallery=known, k=k).to_arrow()
    for name, user_table, place in (("image", rows, "row"), ("gallery_image", known, "gallery")):
        for column in path_columns(user_table)[:1]:
            table = table.append_column(name, user_table.table[column].take(table[place]))
    write_answer(table, output, json, "the most similar rows", table.slice(0, 10))


def verify(
    data: Data,
    other: Data,
    *,
    model: ModelPath,
    false_accept_rate: float = 0.01,
    output: Output = None,
    json: Json = False,
) -> None:
    """Say whether each image of DATA and the image in its place in OTHER show the same person or thing.

    Args:
        data: The images to verify: a folder or a file.
        other: As many images to compare them with.
        false_accept_rate: The share of pairs of different people that may be taken for the same.
    """
    from diabolo import tasks

    check_format(output)
    rows = read_data(data)
    answer = tasks.verify(load_model(model), rows, read_data(other), false_accept_rate=false_accept_rate)
    _write(answer, rows, output, json, "the first pairs")


def identify(
    data: Data,
    gallery: Data,
    *,
    model: ModelPath,
    false_accept_rate: float = 0.01,
    output: Output = None,
    json: Json = False,
) -> None:
    """Name who or what each image of DATA shows, by the labelled images of GALLERY; unknown ones get no name.

    Args:
        data: The images to name: a folder or a file.
        gallery: Labelled images: a folder with a sub-folder for each person, or a file with their labels.
        false_accept_rate: The share of unknown people that may be given a name.
    """
    from diabolo import tasks

    check_format(output)
    rows, known = read_data(data), read_data(gallery)
    answer = tasks.identify(load_model(model), rows, gallery=known, false_accept_rate=false_accept_rate)
    _write(answer, rows, output, json, "the first images")


def group(
    data: Data,
    *,
    model: ModelPath,
    false_accept_rate: float = 0.01,
    output: Output = None,
    json: Json = False,
) -> None:
    """Put the images of DATA into groups that show the same person or thing.

    Args:
        data: The images to group: a folder or a file.
        false_accept_rate: The share of pairs of different people that may be taken for the same.
    """
    from diabolo import tasks

    check_format(output)
    rows = read_data(data)
    answer = tasks.group(load_model(model), rows, false_accept_rate=false_accept_rate)
    _write(answer, rows, output, json, "the first images")


def _write(answer: Answer, rows: UserTable, output: Path | None, as_json: bool, title: str) -> None:
    """Write an answer with a line for each row, and the paths of the images in front of it."""
    table = add_key_columns(answer.to_arrow(), rows.table, path_columns(rows))
    write_answer(table, output, as_json, title, table.slice(0, 10))
