"""The anomaly score of rows: evidence, joined and calibrated to bits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from diabolo.data.sources import Frame
from diabolo.data.sources.points import CoveredPoints
from diabolo.detection.base import EncodedRows, Evidence, PointEvidence, RowEvidence
from diabolo.detection.calibration import WINDOW_FLOOR, Calibration
from diabolo.detection.judged import JudgedRows
from diabolo.detection.parts import ModelParts
from diabolo.detection.residuals import Residual
from diabolo.detection.seen_rows import SeenRows
from diabolo.utils.numerics import in_shares

CHUNK = 8192  # calibration rows that are scored at once


@dataclass(frozen=True)
class RowScorer:
    """Scores rows in bits: -log2 of the share of normal rows that score at least as high.

    Evidence about rows of the frame is joined by `Calibration` and folded onto the user's rows; evidence
    about single points is added to its logarithm there.

    Attributes:
        parts: of the model.
        evidence: what was fitted, in the order of `EVIDENCE`.
        calibration: from evidence to bits.
    """

    parts: ModelParts
    evidence: tuple[Evidence, ...]
    calibration: Calibration

    @classmethod
    def uncalibrated(cls, parts: ModelParts, evidence: tuple[Evidence, ...]) -> Self:
        """Return a scorer that judges rows, but does not know yet how rare its scores are.

        Args:
            parts: of the model.
            evidence: what was fitted.
        """
        return cls(parts, evidence, Calibration({}, np.zeros(0), 1.0))

    def judge(self, frame: Frame, rows: np.ndarray, final: RowScorer | None = None) -> JudgedRows:
        """Return what this model says of some rows, those that must not calibrate left out.

        Args:
            frame: the rows of the fit.
            rows: which of them; this model has not learnt them.
            final: the model that knows all rows and so what is unfit; None for this one.
        """
        points, unfit = self._points(frame, rows), []
        found: list[dict[str, np.ndarray]] = []
        for start in range(0, len(rows), CHUNK):
            some = rows[start : start + CHUNK]
            encoded = EncodedRows(self.parts, self.parts.schema.encode(frame[some]), frame.positions_of(some))
            found.append(self.scores(encoded))
            unfit.append(np.any([e.unfit_for_calibration(encoded) for e in (final or self).of_rows], axis=0))
            if points is not None:
                points.take(slice(start, start + CHUNK), encoded.batch)
        scores = {name: np.concatenate([f[name] for f in found]) for name in found[0]}
        judged = JudgedRows(rows, scores, self.of_user_rows(frame, points).max(1, initial=0.0))
        if frame.positions is None:
            return judged
        return judged.without(np.concatenate(unfit), frame, self.parts.source.length)

    def calibrated(self, frame: Frame, judged: Sequence[JudgedRows]) -> Self:
        """Return the scorer with a calibration on judged rows.

        Args:
            frame: the rows of the fit.
            judged: rows, and what a model that had not learnt them said, in units of this one; points of a
                series that two of them share count twice.
        """
        names = judged[0].scores
        scores = {n: np.concatenate([part.scores[n] for part in judged]) for n in names}
        calibration = Calibration.fit(scores, WINDOW_FLOOR if self.parts.source.overlaps else 0.0)
        totals, positions = [], []
        for number, part in enumerate(judged):
            joined = np.full(frame.rows, np.nan)
            joined[part.rows] = calibration.join(part.scores)
            total = self.parts.source.fold(frame, joined) + part.of_points
            known = np.flatnonzero(np.isfinite(total))
            if frame.layout is not None:
                point = frame.layout.point
                known = known[np.argsort(point[known], kind="stable")]
                positions.append(point[known] + number * (frame.layout.points + self.parts.source.length))
            totals.append(total[known])
        joined_scores = np.concatenate(totals)
        if frame.layout is None:
            return replace(self, calibration=calibration.ranked(joined_scores))
        place, length = np.concatenate(positions), self.parts.source.length
        points = len(np.unique(place % (frame.layout.points + length)))
        # Windows that share no point are alike still: two lengths make an independent one.
        ranked = calibration.ranked_points(joined_scores, place, length, points / (2 * length))
        return replace(self, calibration=ranked)

    @property
    def of_rows(self) -> list[RowEvidence]:
        """The evidence about every row of the frame, which the calibration joins."""
        return [e for e in self.evidence if isinstance(e, RowEvidence) and not isinstance(e, SeenRows)]

    @property
    def of_points(self) -> list[PointEvidence]:
        """The evidence about single points of a series."""
        return [e for e in self.evidence if isinstance(e, PointEvidence)]

    @property
    def of_seen_rows(self) -> SeenRows | None:
        """The evidence about rows of the fit, where they are told from new ones."""
        return next((e for e in self.evidence if isinstance(e, SeenRows)), None)

    def scores(self, rows: EncodedRows) -> dict[str, np.ndarray]:
        """Return name of the evidence -> (rows,) scores of rows of the frame."""
        return {e.name: e.score(rows) for e in self.of_rows}

    def bits(self, frame: Frame) -> np.ndarray:
        """Return (user rows,) the anomaly score of each row in bits."""
        total, as_seen = self.totals(frame)
        bits = self.calibration.bits(total)
        return bits if self.of_seen_rows is None else self.of_seen_rows.join(bits, as_seen)

    def totals(self, frame: Frame) -> tuple[np.ndarray, np.ndarray]:
        """Return the joined score of each of the user's rows, and its bits as a row of the fit, or NaN.

        Both are (user rows,).
        """
        joined, as_seen = np.empty(frame.rows), np.full(frame.rows, np.nan)
        seen, points = self.of_seen_rows, self._points(frame)
        for rows, batch in self.parts.chunks(frame):
            encoded = EncodedRows(self.parts, batch, frame.positions_of(rows))
            if points is not None:
                points.take(rows, batch)
            scores = self.scores(encoded)
            joined[rows] = self.calibration.join(scores)
            if seen is not None:
                as_seen[rows] = seen.bits(encoded, scores[Residual.name])
        total = self.parts.source.fold(frame, joined) + self.of_user_rows(frame, points).max(1, initial=0.0)
        return total, as_seen

    def total_of_point(self, rows: EncodedRows, starts: np.ndarray, point: int) -> float:
        """Return the joined score of one point of a series, as in a batch of all points so far.

        Args:
            rows: the windows that cover the point.
            starts: (windows,) their first points.
            point: counted as `starts`.
        """
        total = self.calibration.join(self.scores(rows)).mean(keepdims=True)
        if self.of_points:
            assert rows.positions is not None
            points = CoveredPoints(starts, rows.positions, self.parts.source.length, self.parts.channels)
            points.take(slice(None), rows.batch)
            evidence = np.sum([e.score(points, point) for e in self.of_points], axis=0)
            total = total + evidence.max()
        return float(total[0])

    def shares(
        self,
        frame: Frame,
        rows: EncodedRows,
        wanted: np.ndarray,
        cell_evidence: np.ndarray,
        *,
        with_memory: bool = True,
    ) -> np.ndarray:
        """Return (wanted, scored columns) each cell's share of the evidence against its row, summing to 1.

        Args:
            frame: what was read.
            rows: all its rows, encoded.
            wanted: the user's rows.
            cell_evidence: (wanted, scored columns) evidence in nats that a cell is wrong, which counts where
                the residual of rows is no evidence.
            with_memory: whether to compare rows with remembered ones too.
        """

        def of(evidence: RowEvidence) -> np.ndarray:
            table = self.parts.by_column(frame, self._shares(evidence, rows), wanted)
            return in_shares(table) if evidence.shares_are_relative else table

        own = [e for e in self.of_rows if not e.compares_with_memory]
        total = sum((of(e) for e in own), start=0.0)
        if not any(isinstance(e, Residual) for e in own):
            total = in_shares(cell_evidence) + total
        points = self._points(frame)
        if points is not None:
            points.take(slice(None), rows.batch)
            total = total + self._by_column(self.of_user_rows(frame, points)[wanted])
        for evidence in self.of_rows if with_memory else ():
            if evidence.compares_with_memory:
                total = total + of(evidence)
        return in_shares(np.asarray(total))

    def words(self, frame: Frame, row: int) -> list[str]:
        """Return what each kind of evidence says about one of the user's rows, for a report.

        Args:
            frame: what was read.
            row: counted from 0.
        """
        texts = (e.words(self.parts, frame, row) for e in self.evidence)
        return [text for text in texts if text]

    def of_user_rows(self, frame: Frame, points: CoveredPoints | None) -> np.ndarray:
        """Return (user rows, channels) log evidence about single points; no columns without any.

        Args:
            frame: what was read.
            points: the points of its windows.
        """
        if points is None:
            return np.zeros((1, 0))
        return points.fold(frame, np.sum([e.score(points) for e in self.of_points], axis=0))

    def _points(self, frame: Frame, rows: slice | np.ndarray = slice(None)) -> CoveredPoints | None:
        """Return room for the points of windows, if some evidence needs them."""
        if not self.of_points:
            return None
        return CoveredPoints.of(frame, self.parts.source.length, self.parts.channels, rows)

    def _shares(self, evidence: RowEvidence, rows: EncodedRows) -> dict[str, np.ndarray]:
        """Return kind of field -> (rows, fields, *cell); of rows of the fit, by the distance to the bulk."""
        shares, seen = evidence.shares(rows), self.of_seen_rows
        if seen is not None and evidence.compares_with_memory:
            known = np.flatnonzero(seen.contains(rows.batch))
            if len(known):
                for kind, part in seen.shares(rows[known]).items():
                    shares[kind][known] = part
        return shares

    def _by_column(self, evidence: np.ndarray) -> np.ndarray:
        """Return (rows, scored columns) of (rows, channels)."""
        schema = self.parts.schema
        table = np.zeros((len(evidence), len(schema.scored)))
        for number, name in enumerate(schema.scored):
            for slot in schema.slots_of(name):
                if schema.fields[slot.kind][slot.index].follows_time:
                    table[:, number] = evidence[:, slot.index]
        return table
