"""Recognition of faces: python -m benchmarks.faces --data DIR --json OUT [--seeds N] [--peers a,b].

DIR holds `.npz` with `x`, images (n, height, width) or (n, height, width, 3), and `y`, the number of the
person on each; or it has one sub-folder of images for each person. Two questions, with random halves for each
seed:

- known people: half of the images of each person are fitted and enrolled, who is on the others? (rank 1)
- people never seen: half of the people are fitted; of pairs of images of the others, which are of one person?
  (area under the ROC curve; share of the pairs of one person above the similarity that 1 % of the other
  pairs exceed)
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.metrics import roc_auc_score
from threadpoolctl import threadpool_limits

from benchmarks import common
from diabolo.data.images import ImageSequence, PixelRange, read_image_folder
from diabolo.images.recognition.descriptor import Descriptor
from diabolo.images.recognition.gallery import Gallery
from diabolo.images.recognition.recognizer import Recognizer
from diabolo.images.recognition.views import mirrored

Images = Sequence[NDArray[np.float32]]
Vectors = NDArray[np.floating[Any]]
People = NDArray[np.str_]
Describe = Callable[[Images], Vectors]
Method = Callable[[Images, People, int], Describe]
RATE = 0.01  # of false accepts
MIN_PEOPLE, MIN_IMAGES = 10, 4  # of a set; and images of each person
EIGENFACES = 0.95  # share of the variance that is kept
CLAIM = (
    "people, known ones and ones never seen, are told apart better than by pixels, eigenfaces and fisherfaces"
)
PROTOCOL = (
    "rank1: a random half of the images of each person to fit and enrol, the others asked, by the nearest "
    "person (diabolo: the mean of the images; peers: the nearest image); auc, tar_1: a random half of the "
    "people to fit, all pairs of images of the other half; false_accepts and true_accepts: of these pairs, "
    "above the threshold that the model gives for 1 % false accepts; strangers_named, known_named: half of "
    "the people never seen enrolled with half of their images, at 5 % false names; peers see images in grey "
    "at the size of diabolo's"
)


def recognizer(images: Images, people: People, seed: int) -> Describe:
    return Recognizer.fit(images, people.tolist(), seed=seed).describe


def pixels(images: Images, people: People, seed: int) -> Describe:
    read = flat_reader(images)
    mean = read(images).mean(0)
    return lambda asked: read(asked) - mean


def eigenfaces(images: Images, people: People, seed: int) -> Describe:
    """Turk and Pentland, 1991."""
    read = flat_reader(images)
    fitted = PCA(EIGENFACES, svd_solver="full").fit(read(images))
    return lambda asked: fitted.transform(read(asked))


def fisherfaces(images: Images, people: People, seed: int) -> Describe:
    """Belhumeur, Hespanha and Kriegman, 1997, with shrinkage (Ledoit and Wolf); mirror images are fitted."""
    read, count = flat_reader(images), len(images)
    turned = [image[:, ::-1] for image in images]
    rows = np.concatenate([read(images), read(turned)])
    axes = PCA(min(count - len(np.unique(people)), 200), svd_solver="full").fit(rows)
    fitted = LinearDiscriminantAnalysis(solver="eigen", shrinkage="auto")
    fitted.fit(axes.transform(rows), np.tile(people, 2))
    return lambda asked: fitted.transform(axes.transform(read(asked)))


def gradients(images: Images, people: People, seed: int) -> Describe:
    """The descriptions of diabolo, not whitened: histograms of oriented gradients."""
    descriptor = Descriptor.for_shapes([image.shape[:2] for image in images])

    def read(asked: Images) -> Vectors:
        views = [descriptor.describe(mirrored(descriptor.prepare(image))).numpy() for image in asked]
        return np.stack(views).mean(1)

    mean = read(images).mean(0)
    return lambda asked: read(asked) - mean


METHODS: dict[str, Method] = {
    common.OURS: recognizer,
    "pixels": pixels,
    "eigenfaces": eigenfaces,
    "fisherfaces": fisherfaces,
    "gradients": gradients,
}


def flat_reader(images: Images) -> Describe:
    """Return a function of images: their grey pixels at one size, (images, pixels)."""
    descriptor = Descriptor.for_shapes([image.shape[:2] for image in images])
    return lambda asked: np.stack([descriptor.prepare(image).numpy().ravel() for image in asked])


def chosen(images: Images, rows: NDArray[np.bool_]) -> Images:
    return [images[i] for i in np.flatnonzero(rows).tolist()]


def unit(vectors: Vectors) -> Vectors:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)


def known_people(method: Method, images: Images, people: People, seed: int, ours: bool) -> dict[str, float]:
    """Enrol half of the images of each person; return the share of the others that is named rightly."""
    fit = half_of_images(people, seed)
    describe = method(chosen(images, fit), people[fit], seed)
    enrolled, asked = (unit(describe(chosen(images, rows))) for rows in (fit, ~fit))
    if ours:
        gallery = Gallery()
        gallery.enrol(people[fit].tolist(), enrolled)
        names = np.array([name for name, _ in gallery.identify(asked, -1.0)])
    else:
        names = people[fit][(asked @ enrolled.T).argmax(1)]
    return {"rank1": float((names == people[~fit]).mean())}


def half_of_images(people: People, seed: int) -> NDArray[np.bool_]:
    random = np.random.default_rng(seed)
    chosen = np.zeros(len(people), dtype=bool)
    for person in np.unique(people):
        rows = random.permutation(np.flatnonzero(people == person))
        chosen[rows[: len(rows) // 2]] = True
    return chosen


def unseen_pairs(vectors: Vectors, people: People) -> tuple[Vectors, NDArray[np.int64]]:
    """Return the similarities of all pairs of images, and 1 for those of the same person."""
    one, other = np.triu_indices(len(people), 1)
    similar = unit(vectors) @ unit(vectors).T
    return similar[one, other], (people[one] == people[other]).astype(np.int64)


def true_accepts(similar: Vectors, same: NDArray[np.int64]) -> float:
    return float((similar[same == 1] > np.quantile(similar[same == 0], 1 - RATE)).mean())


def measure(name: str, images: Images, people: People, seed: int) -> tuple[dict[str, Any], Vectors, Any]:
    """Return the figures of one method, and the similarities of pairs of people never seen, with labels."""
    method, ours = METHODS[name], name == common.OURS
    figures, seconds = common.timed(known_people, method, images, people, seed, ours)
    order = np.random.default_rng(seed).permutation(np.unique(people))
    fit = np.isin(people, order[: len(order) // 2])
    describe, more = common.timed(method, chosen(images, fit), people[fit], seed)
    vectors, last = common.timed(describe, chosen(images, ~fit))
    similar, same = unseen_pairs(vectors, people[~fit])
    figures |= {"auc": float(roc_auc_score(same, similar)), "tar_1": true_accepts(similar, same)}
    figures["cpu_seconds"] = seconds + more + last
    if ours:
        fitted: Recognizer = describe.__self__  # type: ignore[attr-defined]
        threshold = fitted.threshold(RATE)
        figures["false_accepts"] = float((similar[same == 0] > threshold).mean())
        figures["true_accepts"] = float((similar[same == 1] > threshold).mean())
        figures |= open_gallery(fitted, vectors, people[~fit], seed)
    return figures, similar, same


def open_gallery(fitted: Recognizer, vectors: Vectors, people: People, seed: int) -> dict[str, float]:
    """Enrol half of the people; return the shares of images of the others, and of their own, that get a name.

    Those of people who are enrolled count if it is the right name.
    """
    names = np.unique(people)
    known = np.isin(people, names[: len(names) // 2])
    first = half_of_images(people, seed)
    gallery = Gallery()
    gallery.enrol(people[known & first].tolist(), vectors[known & first])
    threshold = fitted.threshold(0.05 / len(gallery.people))
    strangers = [name is not None for name, _ in gallery.identify(vectors[~known], threshold)]
    found = np.array([str(name) for name, _ in gallery.identify(vectors[known & ~first], threshold)])
    right = found == people[known & ~first]
    return {"strangers_named": float(np.mean(strangers)), "known_named": float(right.mean())}


def read_sets(folder: Path, only: Sequence[str]) -> dict[str, tuple[Images, People]]:
    """Return name -> images and the people on them; a folder without .npz files is one set by itself."""
    sets = {}
    files = [path for path in folder.iterdir() if path.name.removesuffix(".gz").endswith(".npz")]
    if files:
        for name, path in common.find_sets(folder, ".npz", only).items():
            arrays = common.read_npz(path)
            if {"x", "y"} <= set(arrays):
                sets[name] = from_arrays(arrays["x"], arrays["y"])
    elif any(path.is_dir() for path in folder.iterdir()):
        table = read_image_folder(folder)
        values = table["image"].combine_chunks()
        sets[folder.name] = (ImageSequence(values, PixelRange()), np.array(table["label"].to_pylist(), str))
    enough = {name: found for name, found in sets.items() if is_enough(found[1])}
    if not enough:
        common.skip(f"no images of {MIN_PEOPLE} people, {MIN_IMAGES} of each, in {folder}")
    return enough


def from_arrays(x: NDArray[Any], y: NDArray[Any]) -> tuple[Images, People]:
    scale = np.iinfo(x.dtype).max if np.issubdtype(x.dtype, np.integer) else max(float(x.max()), 1.0)
    images = (x / scale).astype(np.float32)
    return list(images[..., None] if images.ndim == 3 else images), y.astype(str)


def is_enough(people: People) -> bool:
    counts = np.unique(people, return_counts=True)[1]
    return len(counts) >= MIN_PEOPLE and int(counts.min()) >= MIN_IMAGES


def means(rows: list[dict[str, Any]], name: str) -> dict[str, Any]:
    """Return the means over sets and seeds of the measures of one method."""
    own = [row for row in rows if row["method"] == name]
    measures = [key for key in own[0] if key not in ("set", "seed", "method")]
    return {key: float(np.mean([row[key] for row in own])) for key in measures}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure every set, seed and method; print and write the figures."""
    peers = tuple(name for name in METHODS if name != common.OURS)
    options = common.parse(
        arguments, description=__doc__ or "", known_peers=peers, default_peers=peers, default_seeds=5
    )
    rows: list[dict[str, Any]] = []
    with threadpool_limits(1):
        for name, (images, people) in read_sets(options.data, options.sets).items():
            for seed in range(options.seeds):
                for method in (common.OURS, *options.peers):
                    figures, similar, same = measure(method, images, people, seed)
                    rows.append({"set": name, "seed": seed, "method": method, **figures})
                    if options.scores is not None:
                        place = options.scores if method == common.OURS else options.scores / method
                        common.keep_scores(place, name, seed, similar.astype(np.float64), same)
                print(name, seed, file=sys.stderr)
    table = {name: means(rows, name) for name in (common.OURS, *options.peers)}
    shown = ("rank1", "auc", "tar_1", "cpu_seconds")
    common.print_table(["", *shown], [[name, *(found[k] for k in shown)] for name, found in table.items()])
    mean = table.pop(common.OURS)
    print(", ".join(f"{key} {value:.3f}" for key, value in mean.items() if key not in shown))
    common.write_result(
        options.json, claim=CLAIM, protocol=PROTOCOL, seeds=options.seeds, rows=rows, mean=mean, peers=table
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
