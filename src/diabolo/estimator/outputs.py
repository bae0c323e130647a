"""What a fitted model is turned into: a report, a plot, a stream, a PyOD detector."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from diabolo.errors import OptionError
from diabolo.estimator.pyod import Detector
from diabolo.estimator.sklearn_api import Estimator
from diabolo.report.comparison import write_comparison
from diabolo.report.report import write_report
from diabolo.report.series_plot import Svg, draw_series
from diabolo.streaming.stream import Stream


class FittedOutputs(Estimator):
    """An estimator whose fitted models write reports and plots, score streams, and become PyOD detectors."""

    def report(
        self,
        X: Any,
        path: str | Path = "report.html",
        *,
        synthetic: Any = None,
        unseen: Any = None,
        command: str | None = None,
    ) -> Path:
        """Write a report on rows: one HTML file that needs no network.

        Args:
            X: rows with the columns of the fit.
            path: the file to write.
            synthetic: new rows to compare with `X`, which then must be the rows of the fit. The report is
                on this comparison: similarity of columns and of pairs of columns, a classifier that tells
                new rows from real ones, and privacy.
            unseen: real rows that are not among those of the fit, as the yardstick for the synthetic rows.
            command: the command line to show, with which the report can be written again.

        Returns:
            The path of the file.

        Raises:
            OptionError: `unseen` is given without `synthetic`.
            MissingExtraError: jinja2 is not installed.
        """
        if synthetic is not None:
            return write_comparison(self, X, path, synthetic=synthetic, unseen=unseen, command=command)
        if unseen is not None:
            raise OptionError("unseen was given without synthetic rows to compare", hint="synthetic=rows")
        return write_report(self, X, path, command=command)

    def plot_series(
        self,
        X: Any,
        path: str | Path | None = None,
        *,
        column: str | Sequence[str] | None = None,
        series: str | Sequence[str] | None = None,
        start: Any = None,
        stop: Any = None,
    ) -> Svg:
        """Plot a series: observed values, expected values and their 90 % interval, and anomaly scores.

        Expected values are predicted from the other points, for missing values and gaps too. Episodes of
        alarms are shaded, with a line at their most anomalous point; below are the bits of every point and
        the alarm threshold.

        Args:
            X: rows with the columns of the fit.
            path: an .svg file to write; None to write none.
            column: the channels to plot; None for the first eight.
            series: the series to plot, if there are several (`by`); None for the six most anomalous.
            start: the first time to plot, in the form of the time column; a row number if there is none.
            stop: the last time to plot, likewise.

        Returns:
            The plot, which notebooks display.

        Raises:
            UnsupportedError: the model is not a model of a series.
            OptionError: a channel, series or time is not in the data.
        """
        return draw_series(self, X, path, column=column, series=series, start=start, stop=stop)

    def stream(
        self, *, alarm_rate: float | None = None, follow: bool | None = None, history: Any = None
    ) -> Stream:
        """Return a stream that scores the points of a series as they arrive.

        `stream.push({"time": ..., "value": ...})` returns the anomaly score of the point, as the last point
        of a batch of all points so far; late points are inserted at their time, and repeated points are
        recognised. The last two windows of points are kept in memory.

        Args:
            alarm_rate: share of normal points that may be alarms; None for the model's own rate.
            follow: whether the alarm level follows the share of alarms; None for the model's choice.
            history: rows before the first point, a table or a list of points, which get no answer but are
                context of the first ones; None for the end of the fit, if the first point follows on it.

        Raises:
            UnsupportedError: the model is not a model of a series.

        Example:
            >>> import numpy as np
            >>> from diabolo import Autoencoder
            >>> wave = np.sin(np.arange(600) / 5)
            >>> stream = Autoencoder(window=32).fit({"value": wave}).stream()
            >>> points = [stream.push({"value": v}) for v in [*wave[:200], 5.0]]
            >>> points[-1].status, points[-1].alarm, points[-2].alarm
            ('new', True, False)
        """
        return Stream(self, alarm_rate, follow=follow, history=history)

    def to_pyod(self, X: Any = None) -> Detector:
        """Return the model as a PyOD detector; X are the rows of its fit, if it is fitted already."""
        return Detector(self) if X is None else Detector(self).set_fit_rows(X)
