"""The case study of a failing machine: `python -m benchmarks.machine_temperature --data DIR --json OUT`.

DIR is a copy of the Numenta Anomaly Benchmark: data/**/NAME.csv with timestamp and value, and
labels/combined_windows.json. `--pictures DIR` plots NAME.svg: the series, and the scores and alarms of each
detector.
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
from benchmarks.detector_plot import Lane
from benchmarks.metrics import auroc, nab_best, nab_score, period, vus
from diabolo import Autoencoder

SET = "machine_temperature_system_failure"
TRAIN_SHARE = 0.7
ROLLING = 256  # points of a running mean
SUB_PCA_WINDOW = 125
NUMBERS, LABELS = ["value", "minutes", "holiday_distance", "index"], ["weekday", "holiday"]


class Case(NamedTuple):
    """A labelled series; its first `fitted` points are fitted."""

    series: pd.DataFrame
    labels: np.ndarray
    fitted: int

    @property
    def values(self) -> Floats:
        return self.series["value"].to_numpy(float)


def load(source: nab.LabelledFile) -> Case:
    """Read a series of NAB and its labelled windows."""
    series, labels = nab.read(source)
    return Case(series, labels, int(TRAIN_SHARE * len(series)))


def with_calendar(series: pd.DataFrame) -> pd.DataFrame:
    """Return the usual table for this series: the value, features of the timestamp, and a running index."""
    time, day = series["timestamp"], series["timestamp"].dt.normalize()
    year = pd.Timedelta(days=366)
    holidays = USFederalHolidayCalendar().holidays(day.min() - year, day.max() + year)
    distance = np.abs(day.to_numpy()[:, None] - holidays.to_numpy()[None, :]).min(1)
    return pd.DataFrame(
        {
            "value": series["value"],
            "minutes": 60.0 * time.dt.hour + time.dt.minute,
            "holiday_distance": distance / np.timedelta64(1, "D"),
            "index": np.arange(len(series), dtype=float),
            "weekday": time.dt.day_name(),
            "holiday": np.where(day.isin(holidays), "yes", "no"),
        }
    )


def ours(case: Case, seed: int) -> dict[str, Floats]:
    """Score with the defaults of diabolo: windows, with the calendar as context."""
    model = Autoencoder(time="timestamp", seed=seed).fit(case.series[: case.fitted])
    return {common.OURS: model.anomaly_score(case.series)}


def ours_table(case: Case, seed: int) -> dict[str, Floats]:
    """Score with the defaults of diabolo on the value alone, each point as an independent row."""
    values = case.series[["value"]]
    model = Autoencoder(seed=seed).fit(values[: case.fitted])
    return {"diabolo_table": model.anomaly_score(values)}


def classic(case: Case, seed: int) -> dict[str, Floats]:
    """Score with the usual variational autoencoder on single rows; all columns are scored."""
    table, model = _fit_classic(case, seed)
    return {"classic_loss": _row_losses(model, table), "classic_value": _value_error(model, table)}


def classic_context(case: Case, seed: int) -> dict[str, Floats]:
    """Score with the same network; only the value is scored, the other columns are context."""
    table, model = _fit_classic(case, seed, scored=["value"])
    return {"classic_context": _value_error(model, table)}


def _fit_classic(case: Case, seed: int, **options: Any) -> tuple[pd.DataFrame, Any]:
    table = with_calendar(case.series)
    model = Autoencoder("classic", numeric=NUMBERS, categorical=LABELS, seed=seed, **options)
    return table, model.fit(table[: case.fitted])


def _row_losses(model: Any, table: pd.DataFrame) -> Floats:
    """Return the training loss of each row."""
    engine = model.engine_
    frame = engine.read(table)
    losses = np.empty(len(table))
    for rows, batch in engine.chunks(frame):
        losses[rows] = engine.row_network.row_losses(batch.to(engine.device)).cpu().numpy()
    return losses


def _value_error(model: Any, table: pd.DataFrame) -> Floats:
    """Return the squared error of the value alone."""
    reconstructed = model.reconstruct(table).to_frame()["value"].to_numpy(float)
    return (reconstructed - table["value"].to_numpy(float)) ** 2


def distance_from_mean(case: Case, seed: int) -> dict[str, Floats]:
    """Return the distance of the value, or its mean over 256 points, from the mean of the fitted points."""
    values, mean = case.values, case.values[: case.fitted].mean()
    trailing = pd.Series(values).rolling(ROLLING, min_periods=1)
    centred = pd.Series(values).rolling(ROLLING, min_periods=1, center=True)
    return {
        "distance_from_mean": np.abs(values - mean),
        "rolling_mean": np.abs(trailing.mean().to_numpy() - mean),
        "rolling_mean_centred": np.abs(centred.mean().to_numpy() - mean),
    }


def sub_pca(case: Case, seed: int) -> dict[str, Floats]:
    """Score with sliding PCA as in TSB-AD (Sub-PCA), fitted on the whole series, anomalies included.

    The score is the sum over unit components of the distance of a standardised window from the component,
    divided by its share of the variance; a point gets the score of the window around it.
    """
    windows = sliding_window_view(case.values, SUB_PCA_WINDOW)
    z = (windows - windows.mean(0)) / windows.std(0)
    variances, directions = np.linalg.eigh(z.T @ z)
    projection = z @ directions
    projection *= np.sign(projection[np.abs(projection).argmax(0), np.arange(SUB_PCA_WINDOW)])
    distances = np.sqrt(np.maximum(np.sum(z**2, 1, keepdims=True) - 2 * projection + 1, 0))
    scores = (distances / (variances / variances.sum())).sum(1)
    return {"sub_pca": np.pad(scores, (SUB_PCA_WINDOW // 2, (SUB_PCA_WINDOW - 1) // 2), mode="edge")}


METHODS: dict[tuple[str, ...], Callable[[Case, int], dict[str, Floats]]] = {
    (common.OURS,): ours,
    ("diabolo_table",): ours_table,
    ("classic_loss", "classic_value"): classic,
    ("classic_context",): classic_context,
    ("distance_from_mean", "rolling_mean", "rolling_mean_centred"): distance_from_mean,
    ("sub_pca",): sub_pca,
}
PRINTED_MEASURES = ("auroc", "vus_pr_last", "vus_pr", "nab_score", "nab_score_usual", "cpu_seconds")
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
    """Return the measures of `PROTOCOL`; None if the last 30 % hold only one class."""
    width, last = period(case.values), slice(case.fitted, None)
    both_classes = 0 < case.labels[last].sum() < len(case.labels[last])
    return {
        "auroc": auroc(case.labels[last], scores[last]),
        "vus_pr_last": vus(case.labels[last], scores[last], width).pr if both_classes else None,
        "vus_pr": vus(case.labels, scores, width).pr,
        "nab_score": nab_best(case.labels, scores).score,
        "nab_score_usual": nab_score(case.labels, scores > np.quantile(scores[: case.fitted], 0.999)),
    }


def plot(name: str, case: Case, results: Mapping[str, tuple[Floats, Measures]]) -> str:
    """Plot the series, and the scores of each detector; alarms are those of NAB's best threshold."""
    lanes = {}
    for detector, (scores, figures) in results.items():
        caption = f"VUS-PR {figures['vus_pr']:.2f}, NAB {figures['nab_score']:.0f}"
        lanes[WORDS[detector]] = Lane(scores, nab_best(case.labels, scores).threshold, caption)
    return nab.plot(name, case.series, case.labels, case.fitted, lanes)


def run(options: common.Options, name: str, case: Case) -> list[dict[str, Any]]:
    """Run the requested detectors on one series; one row for each seed and detector."""
    requested = {common.OURS, *options.peers}
    methods = [method for names, method in METHODS.items() if requested & set(names)]
    rows, plotted = [], {}
    for seed in range(options.seeds):
        for method in methods:
            with threadpool_limits(1):
                results, seconds = common.timed(method, case, seed)
            for detector in [d for d in results if d in requested]:
                scores, figures = results[detector], measure(case, results[detector])
                row = {"detector": detector, "set": name, "seed": seed}
                row |= {"train": case.fitted, "test": len(case.labels)}
                rows.append(row | figures | {"cpu_seconds": seconds})
                plotted.setdefault(detector, (scores, figures))
                print(f"{name} seed {seed} {detector}: {seconds:.2f} CPU s", file=sys.stderr, flush=True)
                if options.scores is not None:
                    folder = detection.raw_folder(options.scores, detector)
                    common.keep_scores(folder, name, seed, scores, case.labels)
    if options.pictures is not None:
        common.write_atomically(options.pictures / f"{name}.svg", plot(name, case, plotted))
    return rows


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the case study; return the exit code."""
    description = f"{CLAIM} Protocol: {PROTOCOL}"
    options = common.parse(
        arguments, description=description, known_peers=PEERS, default_peers=PEERS, has_plots=True
    )
    sets = nab.find(options.data, options.sets or (SET,))
    rows = [row for name, source in sets.items() for row in run(options, name, load(source))]
    means = {name: detection.summary(rows, name) for name in (common.OURS, *options.peers)}
    lines = [[name, *map(figures.get, PRINTED_MEASURES)] for name, figures in means.items()]
    common.print_table(["detector", *PRINTED_MEASURES], lines)
    metadata = {"claim": CLAIM, "protocol": PROTOCOL, "seeds": options.seeds, "rows": rows}
    common.write_result(options.json, **metadata, mean=means.pop(common.OURS), peers=means)
    return 0


if __name__ == "__main__":
    sys.exit(main())
