"""Anomalous images and where: `python -m benchmarks.anomaly_images --data DIR --json OUT [--peers a,b]`.

DIR holds folders of images of a surface: `free/` or `good/` with normal ones and a folder for each kind of
defect, with a png mask of the same name beside each image (white = defect). Or .npz files with `x_train`,
`y_train`, `x_test`, `y_test`, as of Fashion-MNIST: one class is left out of the fit, and anomalous.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from sklearn.metrics import roc_auc_score
from threadpoolctl import threadpool_limits

from benchmarks import common, detection
from benchmarks.image_detectors import DETECTORS, PATCH_PEERS, Image

NORMAL = ("free", "good")
SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")
FIT_SHARE = 2 / 3  # of the normal images
SAME_TILE = 100  # numbers of names that are this close are exposures of the same object
MIN_GROUPS = 10  # fewer say that names are consecutive numbers, and no object
MAX_CLASS_FIT, MAX_CLASS_TEST = 3_000, 500  # images of the fit, and of either kind in the test, of an .npz
PIXEL_STEP = 4  # every fourth row and column is evaluated
MAX_FALSE = 0.3  # share of normal pixels up to which overlap with regions is averaged, as of MVTec
N_LEVELS = 61


@dataclass(frozen=True)
class Problem:
    """Normal images to fit, and images to score with their labels and masks (None without masks)."""

    train: list[Image]
    test: list[Image]
    labels: NDArray[np.int64]
    masks: list[NDArray[np.bool_]] | None


def find(folder: Path, only: Sequence[str]) -> dict[str, Path]:
    """Return the sets by name: folders with normal images, and .npz files with a left-out class."""
    sets: dict[str, Path] = {}
    for path in sorted([folder, *folder.iterdir()]):
        if path.is_dir() and any((path / name).is_dir() for name in NORMAL):
            sets[path.name] = path
        elif path.suffix == ".npz" and _has_classes(path):
            sets[path.stem] = path
    missing = [name for name in only if name not in sets]
    if missing:
        raise SystemExit(f"no set named {', '.join(missing)} in {folder}")
    if not sets:
        common.skip(f"no folder with {' or '.join(NORMAL)} and no npz with classes in {folder}")
    return {name: path for name, path in sets.items() if not only or name in only}


def _has_classes(path: Path) -> bool:
    with np.load(path, allow_pickle=False) as archive:
        return {"x_train", "y_train", "x_test", "y_test"} <= set(archive.files)


def read(path: Path) -> Image:
    """Read an image as (height, width, channels), 0 to 1; grey unless it has colours."""
    from PIL import Image as Pillow

    with Pillow.open(path) as image:
        pixels = np.asarray(image.convert("L" if image.mode in ("1", "L", "I;16") else "RGB"))
    return np.atleast_3d(pixels).astype(np.float32) / 255


def groups(names: Sequence[str]) -> NDArray[np.int64]:
    """Return the number of the object that each name is of, where numbers in the names tell it."""
    found = [re.findall(r"\d+", name) for name in names]
    if not all(found):
        return np.arange(len(names))
    numbers = np.array([int(parts[-1]) for parts in found], dtype=np.float64)
    order = np.argsort(numbers, kind="stable")
    result = np.empty(len(names), dtype=np.int64)
    result[order] = np.concatenate([[0], np.cumsum(np.diff(numbers[order]) > SAME_TILE)])
    return result if result.max() + 1 >= MIN_GROUPS else np.arange(len(names))


def split(names: Sequence[str], seed: int) -> NDArray[np.bool_]:
    """Return which normal images are of the fit: whole objects, drawn at random, up to two thirds."""
    of = groups(names)
    chosen = np.zeros(len(names), dtype=bool)
    for group in np.random.default_rng(seed).permutation(of.max() + 1):
        if chosen.sum() < FIT_SHARE * len(names):
            chosen |= of == group
    return chosen


def load_folder(path: Path, seed: int) -> Problem:
    """Read a folder of images and defects, and split the normal ones."""
    normal = next(path / name for name in NORMAL if (path / name).is_dir())
    files = _images(normal)
    in_fit = split([file.stem for file in files], seed)
    train = [read(file) for file, chosen in zip(files, in_fit, strict=True) if chosen]
    test = [read(file) for file, chosen in zip(files, in_fit, strict=True) if not chosen]
    n_normal, masks = len(test), [np.zeros(image.shape[:2], dtype=bool) for image in test]
    for kind in sorted(p for p in path.iterdir() if p.is_dir() and p.name not in NORMAL):
        for file in _images(kind):
            test.append(read(file))
            masks.append(read(file.with_suffix(".png")).mean(2) > 0.5)
    labels = (np.arange(len(test)) >= n_normal).astype(np.int64)
    return Problem(train, test, labels, masks)


def _images(folder: Path) -> list[Path]:
    """Return the images of a folder, without masks, which are named as an image beside them."""
    files = sorted(file for file in folder.iterdir() if file.suffix.lower() in SUFFIXES)
    others = {file.stem for file in files if file.suffix.lower() != ".png"}
    return [file for file in files if file.suffix.lower() != ".png" or file.stem not in others]


def load_class(path: Path, left_out: int, seed: int) -> Problem:
    """Read images of classes; one class is left out of the fit, and anomalous."""
    arrays = common.read_npz(path)
    random = np.random.default_rng(seed)

    def some(part: str, of_class: bool, most: int) -> list[Image]:
        places = np.flatnonzero((arrays[f"y_{part}"] == left_out) == of_class)
        chosen = np.sort(random.permutation(places)[:most])
        pixels = arrays[f"x_{part}"][chosen].astype(np.float32) / 255
        return [np.atleast_3d(image) for image in pixels]

    train = some("train", False, MAX_CLASS_FIT)
    normal, anomalous = (some("test", of_class, MAX_CLASS_TEST) for of_class in (False, True))
    labels = np.repeat(np.arange(2), [len(normal), len(anomalous)])
    return Problem(train, normal + anomalous, labels, None)


def problems(path: Path, name: str, seed: int, seeds: int) -> dict[str, Callable[[], Problem]]:
    """Return what to run for a seed: the folder, or each of its share of the classes left out in turn."""
    if path.is_dir():
        return {name: partial(load_folder, path, seed)}
    with np.load(path, allow_pickle=False) as archive:
        classes = np.unique(archive["y_train"])
    return {f"{name}.without_{c}": partial(load_class, path, int(c), seed) for c in classes[seed::seeds]}


def pixel_measures(maps: Sequence[NDArray[Any]], masks: Sequence[NDArray[np.bool_]]) -> dict[str, float]:
    """Return the AUROC of pixels, and the per-region overlap up to 30 % of the normal pixels.

    Bergmann et al. 2021 (MVTec AD): the mean share of each connected region that exceeds a level, averaged
    over the levels that up to 30 % of the normal pixels exceed.
    """
    thin = np.s_[::PIXEL_STEP, ::PIXEL_STEP]
    values = np.concatenate([shown[thin].ravel() for shown in maps])
    labels = np.concatenate([mask[thin].ravel() for mask in masks])
    levels = np.quantile(values[~labels], 1 - np.linspace(0, MAX_FALSE, N_LEVELS))
    overlaps = []
    for shown, mask in zip(maps, masks, strict=True):
        regions, count = ndimage.label(mask)
        for region in range(1, count + 1):
            inside = np.sort(shown[regions == region])
            overlaps.append(1 - np.searchsorted(inside, levels, side="left") / len(inside))
    overlap = float(np.mean(overlaps)) if overlaps else float("nan")
    return {"pixel_auroc": float(roc_auc_score(labels, values)), "region_overlap": overlap}


def measure(detector: str, load: Callable[[], Problem], seed: int, options: common.Options, name: str) -> Any:
    """Fit, score every image, and return the measures of one run."""
    problem = load()
    fitted, fit_seconds = common.timed(DETECTORS[detector], problem.train, seed)
    answers, use_seconds = common.timed(lambda: [fitted(image) for image in problem.test])
    scores = np.array([score for score, _ in answers], dtype=np.float64)
    if options.scores is not None:
        folder = detection.raw_folder(options.scores, detector)
        common.keep_scores(folder, name, seed, scores, problem.labels)
    auroc = float(roc_auc_score(problem.labels, scores))
    figures = {"train": len(problem.train), "test": len(problem.test)}
    seconds = {"fit_seconds": fit_seconds, "ms_per_image": 1000 * use_seconds / len(scores)}
    seconds["cpu_seconds"] = fit_seconds + use_seconds
    if problem.masks is None:
        return figures | {"object_auroc": auroc} | seconds
    maps = [shown for _, shown in answers if shown is not None]
    pixels = pixel_measures(maps, problem.masks) if len(maps) == len(scores) else {}
    return figures | {"picture_auroc": auroc} | pixels | seconds


def summary(rows: Sequence[Mapping[str, Any]], detector: str) -> dict[str, Any]:
    """Return the means over the runs of a detector; a measure counts where it is defined."""
    own = [row for row in rows if row["detector"] == detector]
    measures = ("picture_auroc", "pixel_auroc", "region_overlap", "object_auroc")
    means = {m: common.mean(row.get(m) for row in own) for m in measures}
    with_masks = [row for row in own if "picture_auroc" in row] or own
    speed = {m: common.mean(row.get(m) for row in with_masks) for m in ("fit_seconds", "ms_per_image")}
    cpu = {"cpu_seconds": sum(row.get("cpu_seconds", 0.0) for row in own)}
    return means | speed | cpu | {"failures": sum("error" in row for row in own)}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; return the exit code."""
    peers = [name for name in DETECTORS if name != common.OURS]
    options = common.parse(
        arguments, description=CLAIM, known_peers=peers, default_peers=peers, default_seeds=3
    )
    sets = find(options.data, options.sets)
    names = (common.OURS, *options.peers)
    rows: list[dict[str, Any]] = []
    with threadpool_limits(1):
        for set_name, path in sets.items():
            for seed in range(options.seeds):
                for name, load in problems(path, set_name, seed, options.seeds).items():
                    for detector in names:
                        if path.is_dir() or detector not in PATCH_PEERS:
                            work = partial(measure, detector, load, seed, options, name)
                            rows.append(detection.attempt(detector, name, seed, work))
    means = {name: summary(rows, name) for name in names}
    header = list(means[common.OURS])
    common.print_table(["detector", *header], [[n, *(m[h] for h in header)] for n, m in means.items()])
    common.write_result(
        options.json,
        claim=CLAIM,
        protocol=PROTOCOL,
        seeds=options.seeds,
        rows=rows,
        mean=means.pop(common.OURS),
        peers=means,
    )
    return int(any("error" in row for row in rows))


CLAIM = "Anomalous images are ranked before normal ones, and their anomalous pixels before normal pixels."
PROTOCOL = (
    "folders: two thirds of the normal images are fitted, whole objects where numbers in names tell them; "
    "the rest and all defects are scored. npz: each class is left out once, over all seeds; 3,000 images of "
    "the others are fitted, 500 and 500 scored. AUROC as a fraction, mean over runs; pixels: every fourth "
    "row and column; region_overlap: up to 30 % of normal pixels; times in CPU seconds on one thread, of "
    "folders."
)

if __name__ == "__main__":
    sys.exit(main())
