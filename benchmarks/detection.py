"""Run detectors on folders of labelled data sets: the loop shared by the anomaly benchmarks."""

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
"""An array of numbers, or a data frame if columns hold categories."""
Detector = Callable[[Data, Data, int], NDArray[np.floating[Any]]]
"""(data to fit, data to score, seed) -> one score for each row or point, higher = more anomalous."""
Measures = dict[str, float | None]
BEHIND = "behind"
N_RESAMPLES = 10_000  # of the bootstrap over sets
FAR_BEHIND = 5.0  # AUROC; a set on which diabolo is further than this behind a simple peer is marked


@dataclass(frozen=True)
class Problem:
    """The input of a detector, and the labels that its scores are evaluated with.

    Attributes:
        train: The values to fit, all normal unless the protocol says otherwise.
        test: The values to score; the same object as `train` if the fitted values are scored.
        labels: For each scored row or point: 1 anomalous, 0 normal.
        window: For series: the maximum width over which VUS smooths the labels.
    """

    train: Data
    test: Data
    labels: Labels
    window: int = 0


@dataclass(frozen=True)
class Benchmark:
    """A claim about detectors and how it is tested.

    Attributes:
        claim: The statement that is tested.
        protocol: How problems are constructed and scores evaluated, in words.
        detectors: All detectors by name, `common.OURS` among them.
        default_peers: The peers that run unless `--peers` names others.
        default_seeds: The number of seeds unless `--seeds` is given.
        headline: The measure that is printed for each set.
        load: (source of a set, as `find` returns it; seed) -> the problem.
        measure: (problem, scores) -> the measures of one run.
        warm_up: A small synthetic problem; each detector runs on it once, untimed.
        suits: (detector, source of a set) -> whether the detector can read the set; if not, it is skipped.
        find: (folder, names to keep or none) -> the sources of the sets, by name.
        rivals: The simple peers; the AUROC of diabolo is compared with the best of them on each set.
        initial_detectors: Trained detector -> the detector that is the same network before training; the gain
            from training is reported.
        published: Name of an optional csv file in the folder with published values of the headline measure: a
            column for the file of the set, then one for each detector.
        plot: (name of the set, problem, scores by detector) -> SVG, for `--pictures`; of the first seed.
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
    suits: Callable[[str, Any], bool] = lambda name, source: True
    find: Callable[[Path, Sequence[str]], Mapping[str, Any]] = lambda folder, only: common.find_sets(
        folder, ".npz", only
    )
    rivals: tuple[str, ...] = ()
    initial_detectors: Mapping[str, str] = field(default_factory=dict)
    published: str = ""
    plot: Callable[[str, Problem, Mapping[str, Floats]], str] | None = None


def main(
    benchmark: Benchmark, arguments: Sequence[str] | None, variants: Mapping[str, Benchmark] | None = None
) -> int:
    """Run a benchmark from its command line, print its tables and write its JSON.

    Args:
        benchmark: The benchmark to run.
        arguments: The command line.
        variants: The benchmarks that `--protocol` chooses from, the default first.

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
        has_plots=benchmark.plot is not None,
    )
    benchmark = variants.get(options.protocol, benchmark)
    rows = run(benchmark, options)
    rows += published_rows(benchmark, options, {row["set"] for row in rows})
    claim, protocol = benchmark.claim, benchmark.protocol
    return report(options, rows, claim, protocol, benchmark.headline, benchmark.initial_detectors)


def report(
    options: common.Options,
    rows: Sequence[Mapping[str, Any]],
    claim: str,
    protocol: str,
    headline: str,
    initial_detectors: Mapping[str, str] | None = None,
) -> int:
    """Print the tables and write the JSON; return the exit code: 0, or 1 if a run failed."""
    completed = {row["detector"] for row in rows}
    names = dict.fromkeys((common.OURS, *options.peers, *(row["detector"] for row in rows)))
    means = {name: summary(rows, name) for name in names if name in completed}
    for name, figures in means.items():
        if name != common.OURS:
            figures |= gain(rows, common.OURS, name, headline, "ours_minus")
        initial = (initial_detectors or {}).get(name, "")
        figures |= gain(rows, name, initial, headline, "minus_start")
    _print_tables(rows, means, headline)
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
    """Run diabolo and the peers on every set and seed; one row each, failures included."""
    sets = benchmark.find(options.data, options.sets)
    names = (common.OURS, *options.peers)
    # Imports and first calls are not timed; a detector that fails here fails again below and is reported.
    for name in names:
        with suppress(Exception):
            benchmark.detectors[name](benchmark.warm_up.train, benchmark.warm_up.test, 0)
    rows = []
    with threadpool_limits(1):
        for set_name, source in sets.items():
            for seed in range(options.seeds):
                scored: dict[str, tuple[Labels, Floats]] = {}
                set_rows = []
                for name in names:
                    if benchmark.suits(name, source):
                        work = partial(
                            _run_detector, benchmark, options, name, set_name, source, seed, scored
                        )
                        set_rows.append(attempt(name, set_name, seed, work))
                _add_lead(benchmark.rivals, set_rows, scored)
                if benchmark.plot is not None and options.pictures is not None and seed == 0:
                    scores = {name: values for name, (_, values) in scored.items()}
                    svg = benchmark.plot(set_name, benchmark.load(source, seed), scores)
                    common.write_atomically(options.pictures / f"{set_name}.svg", svg)
                rows += set_rows
    return rows


def published_rows(
    benchmark: Benchmark, options: common.Options, sets: Collection[str]
) -> list[dict[str, Any]]:
    """Return one row for each published value of the sets that ran; such rows have no CPU seconds."""
    path = options.data / benchmark.published
    if not benchmark.published or not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        (_, *names), *lines = csv.reader(file)
    return [
        {"detector": f"{name} (published)", "set": set_name, "seed": 0, benchmark.headline: float(value)}
        for file_name, *values in lines
        if (set_name := file_name.rpartition(".")[0] or file_name) in sets
        for name, value in zip(names, values, strict=True)
        if value
    ]


def _add_lead(
    rivals: Sequence[str], rows: Sequence[dict[str, Any]], scored: Mapping[str, tuple[Labels, Floats]]
) -> None:
    """Add to the row of diabolo its AUROC minus that of the best rival, and the standard error of it."""
    completed = {row["detector"]: row for row in rows if "error" not in row}
    rival_rows = [completed[name] for name in rivals if name in completed]
    if common.OURS not in completed or not rival_rows:
        return
    own, best = completed[common.OURS], max(rival_rows, key=lambda row: row["auroc"])
    (labels, own_scores), (_, rival_scores) = scored[common.OURS], scored[best["detector"]]
    own["lead"] = own["auroc"] - best["auroc"]
    own["lead_error"] = auroc_lead_error(labels, own_scores, rival_scores, own["seed"])
    own["lead_over"] = best["detector"]


def attempt(name: str, set_name: str, seed: int, work: Callable[[], Mapping[str, Any]]) -> dict[str, Any]:
    """Return one row with the measures that `work` returns; an exception is recorded in the row instead."""
    row: dict[str, Any] = {"detector": name, "set": set_name, "seed": seed}
    try:
        row |= work()
    except Exception as error:
        logging.getLogger(__name__).exception("%s failed on %s, seed %d", name, set_name, seed)
        row["error"] = f"{type(error).__name__}: {error}"
    _print_progress(row)
    return row


def _run_detector(
    benchmark: Benchmark,
    options: common.Options,
    name: str,
    set_name: str,
    source: Any,
    seed: int,
    scored: dict[str, tuple[Labels, Floats]],
) -> dict[str, Any]:
    """Run one detector on one problem; add the labels and its scores to `scored`."""
    problem = benchmark.load(source, seed)
    result, seconds = common.timed(benchmark.detectors[name], problem.train, problem.test, seed)
    scores = _checked(result, problem)
    scored[name] = problem.labels, scores
    if options.scores is not None:
        common.keep_scores(raw_folder(options.scores, name), set_name, seed, scores, problem.labels)
    sizes = {"train": len(problem.train), "test": len(problem.test)}
    return sizes | benchmark.measure(problem, scores) | {"cpu_seconds": seconds}


def raw_folder(folder: Path, detector: str) -> Path:
    """Return the folder for raw results: the folder itself for diabolo, a subfolder for each peer."""
    return folder if detector == common.OURS else folder / detector


def _checked(result: NDArray[np.floating[Any]], problem: Problem) -> Floats:
    scores = np.asarray(result, dtype=np.float64)
    if scores.shape != problem.labels.shape:
        raise ValueError(f"got scores of shape {scores.shape}, expected {problem.labels.shape}")
    if not np.isfinite(scores).all():
        raise ValueError(f"{np.sum(~np.isfinite(scores))} of {scores.size} scores are not finite")
    return scores


def summary(rows: Sequence[Mapping[str, Any]], detector: str) -> dict[str, Any]:
    """Return the measures of one detector.

    Measures are means over sets of the mean over seeds. `cpu_seconds` is the sum over sets of the mean over
    seeds: the cost of one pass over the folder; `cpu_seconds_per_10k_points` relates the cost to the rows or
    points scored. Failed runs are excluded from all of these, and counted.
    """
    detector_rows = [row for row in rows if row["detector"] == detector]
    completed = [row for row in detector_rows if "error" not in row]
    by_set: dict[str, list[Mapping[str, Any]]] = {}
    for row in completed:
        by_set.setdefault(row["set"], []).append(row)
    not_measures = {"detector", "set", "seed", "train", "test", "details", "lead_error", "lead_over"}
    names = list(dict.fromkeys(name for row in completed for name in row if name not in not_measures))
    per_set = {name: [common.mean(row[name] for row in group) for group in by_set.values()] for name in names}
    figures: dict[str, Any] = {name: common.mean(values) for name, values in per_set.items()}
    if "cpu_seconds" in per_set:
        figures["cpu_seconds"] = sum(value or 0.0 for value in per_set["cpu_seconds"])
        points = sum(row["test"] for row in completed)
        figures["cpu_seconds_per_10k_points"] = 1e4 * sum(row["cpu_seconds"] for row in completed) / points
    if compared := comparisons(completed).values():
        figures["sets_not_behind"] = sum(standing.verdict != BEHIND for standing in compared)
        figures["sets_far_behind"] = sum(standing.lead < -FAR_BEHIND for standing in compared)
    return figures | {"sets": len(by_set), "failures": len(detector_rows) - len(completed)}


def gain(
    rows: Sequence[Mapping[str, Any]], first: str, second: str, measure: str, name: str
) -> dict[str, float]:
    """Return the mean of `first` minus `second` over the sets that both have, and its 95 % interval.

    The interval is a paired bootstrap over the sets. With fewer than two sets nothing is returned.
    """
    sets = dict.fromkeys(row["set"] for row in rows)
    pairs = [_set_means(rows, set_name, (first, second), measure) for set_name in sets]
    leads = np.array([one - other for one, other in pairs if one is not None and other is not None])
    if len(leads) < 2:
        return {}
    resampled = np.random.default_rng(0).integers(0, len(leads), (N_RESAMPLES, len(leads)))
    low, high = np.quantile(leads[resampled].mean(1), [0.025, 0.975])
    return {name: float(leads.mean()), f"{name}_low": float(low), f"{name}_high": float(high)}


class Standing(NamedTuple):
    """Comparison of diabolo with the best rival on a set: rival, its AUROC, lead, standard error, verdict."""

    rival: str
    auroc: float
    lead: float
    error: float
    verdict: str


def comparisons(rows: Sequence[Mapping[str, Any]]) -> dict[str, Standing]:
    """Compare diabolo with the best rival on each set where a rival ran.

    The numbers are means over the seeds. So is the standard error: the seeds share anomalous rows, so their
    results are not independent.
    """
    by_set: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        if "lead" in row:
            by_set.setdefault(row["set"], []).append(row)
    result = {}
    for name, group in by_set.items():
        auroc, lead, error = (
            float(np.mean([row[k] for row in group])) for k in ("auroc", "lead", "lead_error")
        )
        verdict = "ahead" if lead > 2 * error else "within noise" if lead >= -2 * error else BEHIND
        rival = "/".join(dict.fromkeys(row["lead_over"] for row in group))
        result[name] = Standing(rival, auroc - lead, lead, error, verdict)
    return result


def _print_tables(
    rows: Sequence[Mapping[str, Any]], means: Mapping[str, Mapping[str, Any]], headline: str
) -> None:
    """Print the headline measure of each set, then the means of all measures, then the failed runs."""
    sets = list(dict.fromkeys(row["set"] for row in rows))
    print(f"{headline}, mean over seeds")
    common.print_table(["set", *means], [[name, *_set_means(rows, name, means, headline)] for name in sets])
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
    """Print the headline by the family of the sets, if names contain it: the word before `_id_N`."""
    families: dict[str, list[list[float | None]]] = {}
    for name in dict.fromkeys(row["set"] for row in rows):
        if word := re.search(r"(?:^|_)([^_]+)_id_\d", name):
            families.setdefault(word[1], []).append(_set_means(rows, name, means, headline))
    if families:
        print(f"\n{headline} by family")
        lines = [
            [name, len(sets), *map(common.mean, zip(*sets, strict=True))] for name, sets in families.items()
        ]
        common.print_table(["family", "sets", *means], lines)


def print_standings(rows: Sequence[Mapping[str, Any]]) -> None:
    """Print by how much AUROC diabolo leads the best rival on each set; sets far behind are marked."""
    lines = []
    for name, standing in comparisons(rows).items():
        far = f" by more than {FAR_BEHIND:g}" if standing.lead < -FAR_BEHIND else ""
        lines.append([name, *standing[:-1], standing.verdict + far])
    if lines:
        print("\nAUROC against the better rival; within noise: two standard errors of a paired bootstrap")
        common.print_table(["set", "better rival", "its AUROC", "lead", "error", "verdict"], lines)


def _set_means(
    rows: Sequence[Mapping[str, Any]], set_name: str, detectors: Iterable[str], measure: str
) -> list[float | None]:
    set_rows = [row for row in rows if row["set"] == set_name]
    return [
        common.mean(row.get(measure) for row in set_rows if row["detector"] == name) for name in detectors
    ]


def _print_progress(row: Mapping[str, Any]) -> None:
    """Print one line to stderr for each run; stdout holds only the tables."""
    cost = row.get("error") or f"{row['cpu_seconds']:.2f} CPU s"
    print(f"{row['set']} seed {row['seed']} {row['detector']}: {cost}", file=sys.stderr, flush=True)
