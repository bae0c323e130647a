"""The case study of a failing machine: `python -m benchmarks.machine_temperature --data DIR --json OUT`.

DIR is a copy of the Numenta Anomaly Benchmark: data/**/NAME.csv with timestamp and value, and
labels/combined_windows.json. `--pictures DIR` draws NAME.svg: the series, and what each detector makes of it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.lib.stride_tricks import sliding_window_view
from pandas.tseries.holiday import USFederalHolidayCalendar
from threadpoolctl import threadpool_limits

from benchmarks import common, detection, nab
from benchmarks.detection import Floats, Measures
from benchmarks.lanes import Lane
from benchmarks.metrics import auroc, nab_best, nab_score, period, vus
from diabolo import Autoencoder

SET = "machine_temperature_system_failure"
FITTED = 0.7
ROLLING = 256
SUB_PCA = 125
NUMBERS, LABELS = ["value", "minutes", "holiday_distance", "index"], ["weekday", "holiday"]


class Case(NamedTuple):
    """A labelled series; its first `fitted` points are there to fit."""

    series: pd.DataFrame
    labels: np.ndarray
    fitted: int

    @property
    def values(self) -> Floats:
        return self.series["value"].to_numpy(float)


def load(found: nab.Found) -> Case:
    """Reads a series of NAB and the windows that belong to it."""
    series, labels = nab.read(found)
    return Case(series, labels, int(FITTED * len(series)))


def with_calendar(series: pd.DataFrame) -> pd.DataFrame:
    """The usual table of this case: the value beside what can be read off the clock, and a running index."""
    at, day = series["timestamp"], series["timestamp"].dt.normalize()
    year = pd.Timedelta(days=366)
    holidays = USFederalHolidayCalendar().holidays(day.min() - year, day.max() + year)
    apart = np.abs(day.to_numpy()[:, None] - holidays.to_numpy()[None, :]).min(1)
    return pd.DataFrame(
        {
            "value": series["value"],
            "minutes": 60.0 * at.dt.hour + at.dt.minute,
            "holiday_distance": apart / np.timedelta64(1, "D"),
            "index": np.arange(len(series), dtype=float),
            "weekday": at.dt.day_name(),
            "holiday": np.where(day.isin(holidays), "yes", "no"),
        }
    )


def ours(case: Case, seed: int) -> dict[str, Floats]:
    """Our default: windows, calendar as context."""
    model = Autoencoder(time="timestamp", seed=seed).fit(case.series[: case.fitted])
    return {common.OURS: model.anomaly_score(case.series)}


def ours_table(case: Case, seed: int) -> dict[str, Floats]:
    """Our default on the value alone, each point a row by itself."""
    values = case.series[["value"]]
    model = Autoencoder(seed=seed).fit(values[: case.fitted])
    return {"diabolo_table": model.anomaly_score(values)}


def classic(case: Case, seed: int) -> dict[str, Floats]:
    """The usual variational autoencoder on single rows; everything is scored."""
    table, model = _fit_classic(case, seed)
    return {"classic_loss": _row_losses(model, table), "classic_value": _value_error(model, table)}


def classic_context(case: Case, seed: int) -> dict[str, Floats]:
    """The same, with the value alone scored and everything else read as context."""
    table, model = _fit_classic(case, seed, scored=["value"])
    return {"classic_context": _value_error(model, table)}


def _fit_classic(case: Case, seed: int, **options: Any) -> tuple[pd.DataFrame, Any]:
    table = with_calendar(case.series)
    model = Autoencoder("classic", numeric=NUMBERS, categorical=LABELS, seed=seed, **options)
    return table, model.fit(table[: case.fitted])


def _row_losses(model: Any, table: pd.DataFrame) -> Floats:
    """The loss that the network was trained with, row by row."""
    engine = model.engine_
    frame = engine.read(table)
    losses = np.empty(len(table))
    for rows, codes in engine.chunks(frame):
        losses[rows] = engine.row_network.row_losses(codes.to(engine.device)).cpu().numpy()
    return losses


def _value_error(model: Any, table: pd.DataFrame) -> Floats:
    """The squared error of the value alone."""
    restored = model.reconstruct(table).to_frame()["value"].to_numpy(float)
    return (restored - table["value"].to_numpy(float)) ** 2


def distance_from_mean(case: Case, seed: int) -> dict[str, Floats]:
    """No model: how far the value, or its mean over 256 points, is from the mean of what may be fitted."""
    values, mean = case.values, case.values[: case.fitted].mean()
    so_far = pd.Series(values).rolling(ROLLING, min_periods=1)
    around = pd.Series(values).rolling(ROLLING, min_periods=1, center=True)
    return {
        "distance_from_mean": np.abs(values - mean),
        "rolling_mean": np.abs(so_far.mean().to_numpy() - mean),
        "rolling_mean_centred": np.abs(around.mean().to_numpy() - mean),
    }


def sub_pca(case: Case, seed: int) -> dict[str, Floats]:
    """Sliding PCA as in TSB-AD (Sub-PCA), over the whole series, what is to be found included.

    The distance of a standardised window from the end of each unit component, over the share of variance of
    the component, summed; a point gets the score of the window around it.
    """
    windows = sliding_window_view(case.values, SUB_PCA)
    z = (windows - windows.mean(0)) / windows.std(0)
    variances, directions = np.linalg.eigh(z.T @ z)
    along = z @ directions
    along *= np.sign(along[np.abs(along).argmax(0), np.arange(SUB_PCA)])
    apart = np.sqrt(np.maximum(np.sum(z**2, 1, keepdims=True) - 2 * along + 1, 0))
    scores = (apart / (variances / variances.sum())).sum(1)
    return {"sub_pca": np.pad(scores, (SUB_PCA // 2, (SUB_PCA - 1) // 2), mode="edge")}


METHODS: dict[tuple[str, ...], Callable[[Case, int], dict[str, Floats]]] = {
    (common.OURS,): ours,
    ("diabolo_table",): ours_table,
    ("classic_loss", "classic_value"): classic,
    ("classic_context",): classic_context,
    ("distance_from_mean", "rolling_mean", "rolling_mean_centred"): distance_from_mean,
    ("sub_pca",): sub_pca,
}
SHOWN = ("auroc", "vus_pr_last", "vus_pr", "nab_score", "nab_score_usual", "cpu_seconds")
PEERS = [name for names in METHODS for name in names if name != common.OURS]

WORDS = {
    common.OURS: "diabolo's default",
    "diabolo_table": "diabolo's default, no time",
    "classic_loss": "classic, its loss",
    "classic_value": "classic, the value's error",
    "classic_context": "classic, only the value scored",
    "distance_from_mean": "no model: distance from the mean",
    "rolling_mean": "no model: mean of the last 256 points",
    "rolling_mean_centred": "no model: mean of the 256 points around",
    "sub_pca": "sliding PCA, fitted on all",
}
CLAIM = "Scoring only the value finds the failures better than the loss of the whole row does."
PROTOCOL = (
    "fit on the first 70 % of the points (sub_pca: on all), score all. auroc (percent) and vus_pr_last on "
    "the last 30 %; vus_pr on all; nab_score: NAB's, profile standard, this file alone, at the best "
    "threshold of the file; nab_score_usual: at the 99.9th percentile of the scores of the first 70 %; "
    "cpu_seconds: fit and score of all detectors that share a fit."
)


def measure(case: Case, scores: Floats) -> Measures:
    """The measures of `PROTOCOL`; None where the last 30 % hold only one class."""
    width, last = period(case.values), slice(case.fitted, None)
    both = 0 < case.labels[last].sum() < len(case.labels[last])
    return {
        "auroc": auroc(case.labels[last], scores[last]),
        "vus_pr_last": vus(case.labels[last], scores[last], width).pr if both else None,
        "vus_pr": vus(case.labels, scores, width).pr,
        "nab_score": nab_best(case.labels, scores).score,
        "nab_score_usual": nab_score(case.labels, scores > np.quantile(scores[: case.fitted], 0.999)),
    }


def picture(name: str, case: Case, found: Mapping[str, tuple[Floats, Measures]]) -> str:
    """The series, and what each detector makes of it; alarms are those of NAB's best threshold."""
    lanes = {}
    for detector, (scores, figures) in found.items():
        said = f"VUS-PR {figures['vus_pr']:.2f}, NAB {figures['nab_score']:.0f}"
        lanes[WORDS[detector]] = Lane(scores, nab_best(case.labels, scores).threshold, said)
    return nab.picture(name, case.series, case.labels, case.fitted, lanes)


def run(options: common.Options, name: str, case: Case) -> list[dict[str, Any]]:
    """Runs the wanted detectors on one series; one row for each seed and detector."""
    wanted = {common.OURS, *options.peers}
    methods = [method for names, method in METHODS.items() if wanted & set(names)]
    rows, drawn = [], {}
    for seed in range(options.seeds):
        for method in methods:
            with threadpool_limits(1):
                answers, seconds = common.timed(method, case, seed)
            for detector in [d for d in answers if d in wanted]:
                scores, figures = answers[detector], measure(case, answers[detector])
                row = {"detector": detector, "set": name, "seed": seed}
                row |= {"train": case.fitted, "test": len(case.labels)}
                rows.append(row | figures | {"cpu_seconds": seconds})
                drawn.setdefault(detector, (scores, figures))
                print(f"{name} seed {seed} {detector}: {seconds:.2f} CPU s", file=sys.stderr, flush=True)
                if options.scores is not None:
                    folder = options.scores if detector == common.OURS else options.scores / detector
                    common.keep_scores(folder, name, seed, scores, case.labels)
    if options.pictures is not None:
        common.write_atomically(options.pictures / f"{name}.svg", picture(name, case, drawn))
    return rows


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the case study; returns the exit code."""
    said = f"{CLAIM} Protocol: {PROTOCOL}"
    options = common.parse(arguments, description=said, known_peers=PEERS, default_peers=PEERS, draws=True)
    sets = nab.find(options.data, options.sets or (SET,))
    rows = [row for name, found in sets.items() for row in run(options, name, load(found))]
    means = {name: detection.summary(rows, name) for name in (common.OURS, *options.peers)}
    lines = [[name, *map(figures.get, SHOWN)] for name, figures in means.items()]
    common.print_table(["detector", *SHOWN], lines)
    described = {"claim": CLAIM, "protocol": PROTOCOL, "seeds": options.seeds, "rows": rows}
    common.write_result(options.json, **described, mean=means.pop(common.OURS), peers=means)
    return 0


if __name__ == "__main__":
    sys.exit(main())
