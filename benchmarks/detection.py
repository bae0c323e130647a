"""Runs detectors over folders of labelled problems: the loop that the anomaly benchmarks share."""

from __future__ import annotations

import csv
import logging
import re
import sys
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from benchmarks import common
from benchmarks.metrics import auroc_lead_error

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]
Data = Any
"""An array of numbers, or a data frame where columns are labels."""
Detector = Callable[[Data, Data, int], NDArray[np.floating[Any]]]
"""A function (data to fit, data to score, seed) -> one score for each thing, higher = more anomalous."""
Measures = dict[str, float | None]
BEHIND = "behind"
DRAWS = 10_000  # of the bootstrap over sets
FAR_BEHIND = 5.0  # AUROC; a set on which we lose more than this to a simple peer wants a reason


@dataclass(frozen=True)
class Problem:
    """What a detector gets, and what it is measured by.

    Attributes:
        train: The values to fit, all normal unless the protocol says otherwise.
        test: The values to score; the very same object as `train` if what was fitted is scored.
        labels: For each thing scored: 1 anomalous, 0 normal.
        window: For series: the width up to which VUS blurs the labels.
    """

    train: Data
    test: Data
    labels: Labels
    window: int = 0


@dataclass(frozen=True)
class Benchmark:
    """A claim about detectors and how it is checked.

    Attributes:
        claim: The sentence that is checked.
        protocol: How problems are made and answers measured, in words.
        detectors: All detectors by name, `common.OURS` among them.
        default_peers: The peers that run unless others are asked for.
        default_seeds: The number of seeds unless another is asked for.
        headline: The measure that is printed set by set.
        load: (what `find` gave, seed) -> the problem.
        measure: (problem, scores) -> the measures of one run.
        warm_up: A small made problem; each detector sees it once, untimed.
        suits: (detector, what `find` gave) -> whether it can read the set; others are left out there.
        find: (folder, names to keep or none) -> the sets by name.
        rivals: The peers of which the better one, set by set, is what our AUROC is held against.
        starts: Detector -> the one that it starts from; what it gains on that is told too.
        published: The name of a csv that may lie in the folder, with the headline as others have it: a column
            for the set's file, then one for each detector.
        draw: (name of the set, problem, scores by detector) -> SVG, for `--pictures`; of the first seed.
    """

    claim: str
    protocol: str
    detectors: Mapping[str, Detector]
    default_peers: tuple[str, ...]
    default_seeds: int
    headline: str
    load: Callable[[Any, int], Problem]
    measure: Callable[[Problem, Floats], Measures]
    warm_up: Problem
    suits: Callable[[str, Any], bool] = lambda name, found: True
    find: Callable[[Path, Sequence[str]], Mapping[str, Any]] = lambda folder, only: common.find_sets(
        folder, ".npz", only
    )
    rivals: tuple[str, ...] = ()
    starts: Mapping[str, str] = field(default_factory=dict)
    published: str = ""
    draw: Callable[[str, Problem, Mapping[str, Floats]], str] | None = None


def main(
    benchmark: Benchmark, arguments: Sequence[str] | None, variants: Mapping[str, Benchmark] | None = None
) -> int:
    """Runs a benchmark from its command line, prints its tables and writes its JSON.

    Args:
        benchmark: What is run.
        arguments: The command line.
        variants: What `--protocol` runs instead, the default first.

    Returns:
        The exit code: 0, or 1 if a detector failed on a set.
    """
    variants = variants or {}
    options = common.parse(
        arguments,
        description=f"{benchmark.claim} Protocol: {benchmark.protocol}",
        known_peers=[name for name in benchmark.detectors if name != common.OURS],
        default_peers=benchmark.default_peers,
        default_seeds=benchmark.default_seeds,
        protocols=tuple(variants),
        draws=benchmark.draw is not None,
    )
    benchmark = variants.get(options.protocol, benchmark)
    rows = run(benchmark, options)
    rows += published_rows(benchmark, options, {row["set"] for row in rows})
    claim, protocol = benchmark.claim, benchmark.protocol
    return report(options, rows, claim, protocol, benchmark.headline, benchmark.starts)


def report(
    options: common.Options,
    rows: Sequence[Mapping[str, Any]],
    claim: str,
    protocol: str,
    headline: str,
    starts: Mapping[str, str] | None = None,
) -> int:
    """Prints the tables and writes the JSON; returns the exit code: 0, or 1 if something failed."""
    ran = {row["detector"] for row in rows}
    names = dict.fromkeys((common.OURS, *options.peers, *(row["detector"] for row in rows)))
    means = {name: summary(rows, name) for name in names if name in ran}
    for name, figures in means.items():
        if name != common.OURS:
            figures |= gain(rows, common.OURS, name, headline, "ours_minus")
        figures |= gain(rows, name, (starts or {}).get(name, ""), headline, "minus_start")
    _print(rows, means, headline)
    common.write_result(
        options.json,
        claim=claim,
        protocol=protocol,
        seeds=options.seeds,
        rows=rows,
        mean=means.pop(common.OURS),
        peers=means,
    )
    return int(any("error" in row for row in rows))


def run(benchmark: Benchmark, options: common.Options) -> list[dict[str, Any]]:
    """Runs our default and the peers on every set and seed; one row each, failures included."""
    sets = benchmark.find(options.data, options.sets)
    names = (common.OURS, *options.peers)
    # Imports and first calls are not what a detector costs; what fails here fails again, and is said, below.
    for name in names:
        with suppress(Exception):
            benchmark.detectors[name](benchmark.warm_up.train, benchmark.warm_up.test, 0)
    rows = []
    with threadpool_limits(1):
        for set_name, found in sets.items():
            for seed in range(options.seeds):
                answers: dict[str, tuple[Labels, Floats]] = {}
                here = []
                for name in names:
                    if benchmark.suits(name, found):
                        work = partial(_measured, benchmark, options, name, set_name, found, seed, answers)
                        here.append(attempt(name, set_name, seed, work))
                _compare(benchmark.rivals, here, answers)
                if benchmark.draw is not None and options.pictures is not None and seed == 0:
                    scores = {name: answer for name, (_, answer) in answers.items()}
                    drawn = benchmark.draw(set_name, benchmark.load(found, seed), scores)
                    common.write_atomically(options.pictures / f"{set_name}.svg", drawn)
                rows += here
    return rows


def published_rows(
    benchmark: Benchmark, options: common.Options, sets: Collection[str]
) -> list[dict[str, Any]]:
    """Figures of others for the sets that ran; they bring no CPU seconds."""
    path = options.data / benchmark.published
    if not benchmark.published or not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        (_, *names), *lines = csv.reader(file)
    return [
        {"detector": f"{name} (published)", "set": found, "seed": 0, benchmark.headline: float(value)}
        for file_name, *values in lines
        if (found := file_name.rpartition(".")[0] or file_name) in sets
        for name, value in zip(names, values, strict=True)
        if value
    ]


def _compare(
    rivals: Sequence[str], rows: Sequence[dict[str, Any]], answers: Mapping[str, tuple[Labels, Floats]]
) -> None:
    """Writes into our row by how much AUROC it leads the better rival, and the standard error of that."""
    done = {row["detector"]: row for row in rows if "error" not in row}
    there = [done[name] for name in rivals if name in done]
    if common.OURS not in done or not there:
        return
    mine, better = done[common.OURS], max(there, key=lambda row: row["auroc"])
    (labels, ours), (_, theirs) = answers[common.OURS], answers[better["detector"]]
    mine["lead"] = mine["auroc"] - better["auroc"]
    mine["lead_error"] = auroc_lead_error(labels, ours, theirs, mine["seed"])
    mine["lead_over"] = better["detector"]


def attempt(name: str, set_name: str, seed: int, work: Callable[[], Mapping[str, Any]]) -> dict[str, Any]:
    """One row: what the work finds; an exception becomes the row's error, and the run goes on."""
    row: dict[str, Any] = {"detector": name, "set": set_name, "seed": seed}
    try:
        row |= work()
    except Exception as error:
        logging.getLogger(__name__).exception("%s failed on %s, seed %d", name, set_name, seed)
        row["error"] = f"{type(error).__name__}: {error}"
    _say_progress(row)
    return row


def _measured(
    benchmark: Benchmark,
    options: common.Options,
    name: str,
    set_name: str,
    found: Any,
    seed: int,
    answers: dict[str, tuple[Labels, Floats]],
) -> dict[str, Any]:
    """Runs one detector on one problem; its scores are put into `answers` beside the labels."""
    problem = benchmark.load(found, seed)
    answer, seconds = common.timed(benchmark.detectors[name], problem.train, problem.test, seed)
    scores = _checked(answer, problem)
    answers[name] = problem.labels, scores
    if options.scores is not None:
        common.keep_scores(folder_of(options.scores, name), set_name, seed, scores, problem.labels)
    sizes = {"train": len(problem.train), "test": len(problem.test)}
    return sizes | benchmark.measure(problem, scores) | {"cpu_seconds": seconds}


def folder_of(folder: Path, detector: str) -> Path:
    """Where raw answers are kept: ours in the folder itself, those of a peer in one of its own."""
    return folder if detector == common.OURS else folder / detector


def _checked(answer: NDArray[np.floating[Any]], problem: Problem) -> Floats:
    scores = np.asarray(answer, dtype=np.float64)
    if scores.shape != problem.labels.shape:
        raise ValueError(f"got scores of shape {scores.shape}, expected {problem.labels.shape}")
    if not np.isfinite(scores).all():
        raise ValueError(f"{np.sum(~np.isfinite(scores))} of {scores.size} scores are not finite")
    return scores


def summary(rows: Sequence[Mapping[str, Any]], detector: str) -> dict[str, Any]:
    """The figures of one detector.

    Measures are means over sets of the mean over seeds. `cpu_seconds` is the sum over sets of the mean over
    seeds: what one pass over the folder costs; `cpu_seconds_per_10k_points` relates the cost to the rows or
    points scored. Runs that failed are left out of all of these, and counted.
    """
    mine = [row for row in rows if row["detector"] == detector]
    done = [row for row in mine if "error" not in row]
    by_set: dict[str, list[Mapping[str, Any]]] = {}
    for row in done:
        by_set.setdefault(row["set"], []).append(row)
    described = {"detector", "set", "seed", "train", "test", "details", "lead_error", "lead_over"}
    names = list(dict.fromkeys(name for row in done for name in row if name not in described))
    per_set = {name: [common.mean(row[name] for row in group) for group in by_set.values()] for name in names}
    figures: dict[str, Any] = {name: common.mean(values) for name, values in per_set.items()}
    if "cpu_seconds" in per_set:
        figures["cpu_seconds"] = sum(value or 0.0 for value in per_set["cpu_seconds"])
        points = sum(row["test"] for row in done)
        figures["cpu_seconds_per_10k_points"] = 1e4 * sum(row["cpu_seconds"] for row in done) / points
    if places := standings(done).values():
        figures["sets_not_behind"] = sum(place.verdict != BEHIND for place in places)
        figures["sets_far_behind"] = sum(place.lead < -FAR_BEHIND for place in places)
    return figures | {"sets": len(by_set), "failures": len(mine) - len(done)}


def gain(
    rows: Sequence[Mapping[str, Any]], first: str, second: str, measure: str, name: str
) -> dict[str, float]:
    """`first` minus `second`, in the mean over the sets that both have, and a 95 % interval of it.

    A paired bootstrap over the sets: a set that is drawn is drawn for both. Nothing below two sets.
    """
    pairs = [_of_set(rows, found, (first, second), measure) for found in {row["set"]: 0 for row in rows}]
    leads = np.array([one - other for one, other in pairs if one is not None and other is not None])
    if len(leads) < 2:
        return {}
    drawn = np.random.default_rng(0).integers(0, len(leads), (DRAWS, len(leads)))
    low, high = np.quantile(leads[drawn].mean(1), [0.025, 0.975])
    return {name: float(leads.mean()), f"{name}_low": float(low), f"{name}_high": float(high)}


class Standing(NamedTuple):
    """Where we stand on a set: the better rival, its AUROC, our lead, the lead's error, and a word for it."""

    rival: str
    auroc: float
    lead: float
    error: float
    verdict: str


def standings(rows: Sequence[Mapping[str, Any]]) -> dict[str, Standing]:
    """How we stand on each set where a rival ran.

    The figures are means over the seeds. So is the standard error: seeds share anomalous rows, so what they
    find does not vary independently.
    """
    by_set: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        if "lead" in row:
            by_set.setdefault(row["set"], []).append(row)
    found = {}
    for name, group in by_set.items():
        auroc, lead, error = (
            float(np.mean([row[k] for row in group])) for k in ("auroc", "lead", "lead_error")
        )
        verdict = "ahead" if lead > 2 * error else "within noise" if lead >= -2 * error else BEHIND
        rival = "/".join(dict.fromkeys(row["lead_over"] for row in group))
        found[name] = Standing(rival, auroc - lead, lead, error, verdict)
    return found


def _print(rows: Sequence[Mapping[str, Any]], means: Mapping[str, Mapping[str, Any]], headline: str) -> None:
    """Prints the headline measure set by set, then all measures in the mean, then what failed."""
    sets = list(dict.fromkeys(row["set"] for row in rows))
    print(f"{headline}, mean over seeds")
    common.print_table(["set", *means], [[name, *_of_set(rows, name, means, headline)] for name in sets])
    _print_families(rows, means, headline)
    print_standings(rows)
    print("\nmean over sets")
    measures = list(dict.fromkeys(name for figures in means.values() for name in figures))
    lines = [[measure, *(figures.get(measure) for figures in means.values())] for measure in measures]
    common.print_table(["measure", *means], lines)
    for row in rows:
        if "error" in row:
            print(f"FAILED {row['detector']} on {row['set']}, seed {row['seed']}: {row['error']}")


def _print_families(rows: Sequence[Mapping[str, Any]], means: Mapping[str, Any], headline: str) -> None:
    """Prints the headline by where the sets come from, if their names say so: the word before `_id_N`."""
    families: dict[str, list[list[float | None]]] = {}
    for name in dict.fromkeys(row["set"] for row in rows):
        if word := re.search(r"(?:^|_)([^_]+)_id_\d", name):
            families.setdefault(word[1], []).append(_of_set(rows, name, means, headline))
    if families:
        print(f"\n{headline} by family")
        lines = [
            [name, len(sets), *map(common.mean, zip(*sets, strict=True))] for name, sets in families.items()
        ]
        common.print_table(["family", "sets", *means], lines)


def print_standings(rows: Sequence[Mapping[str, Any]]) -> None:
    """Prints by how much our AUROC leads the better rival, set by set; what is far behind stands out."""
    lines = []
    for name, standing in standings(rows).items():
        far = f" by more than {FAR_BEHIND:g}" if standing.lead < -FAR_BEHIND else ""
        lines.append([name, *standing[:-1], standing.verdict + far])
    if lines:
        print("\nAUROC against the better rival; within noise: two standard errors of a paired bootstrap")
        common.print_table(["set", "better rival", "its AUROC", "lead", "error", "verdict"], lines)


def _of_set(
    rows: Sequence[Mapping[str, Any]], set_name: str, detectors: Iterable[str], measure: str
) -> list[float | None]:
    mine = [row for row in rows if row["set"] == set_name]
    return [common.mean(row.get(measure) for row in mine if row["detector"] == name) for name in detectors]


def _say_progress(row: Mapping[str, Any]) -> None:
    """One line on stderr for each run, so that stdout holds only the tables."""
    cost = row.get("error") or f"{row['cpu_seconds']:.2f} CPU s"
    print(f"{row['set']} seed {row['seed']} {row['detector']}: {cost}", file=sys.stderr, flush=True)
