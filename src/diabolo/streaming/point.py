"""The answer to one point of a stream."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Point:
    """The answer to one point.

    Attributes:
        status: "new"; "late" for a point before the newest one; "repeated" for a point that was seen before;
            "too late" for a point more than a window behind the newest one.
        bits: anomaly score of the point, as the last point of a batch of all points so far; None if the
            status is "repeated" or "too late".
        severity: the same on a scale from 0 to 100; None likewise.
        alarm: whether `bits` is above the alarm level; None likewise.
        note: what the user should know from this point on, that the series has left what the fit calls
            normal; mostly empty.
    """

    status: str
    bits: float | None = None
    severity: float | None = None
    alarm: bool | None = None
    note: str = ""
