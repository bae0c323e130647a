"""Windows that judge a series share no point with those that were learnt."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diabolo.data.splitting import (
    MAX_BLOCKS,
    MIN_LEARNT,
    MIN_WINDOWS_TO_CUT,
    MIN_WINDOWS_TO_SPLIT,
    Fold,
    learn_windows,
    overlaps_any,
    split_in_time,
    split_windows,
)


def starts_of(sizes: list[int], length: int) -> np.ndarray:
    """The first points of all windows of series with these numbers of points, a window apart."""
    starts, total = [], 0
    for size in sizes:
        starts.append(total + np.arange(size - length + 1))
        total += size + length
    return np.concatenate(starts)


def points_of(starts: np.ndarray, length: int) -> set[int]:
    return set((starts[:, None] + np.arange(length)).ravel().tolist())


layouts = st.tuples(
    st.lists(st.integers(0, 150), min_size=1, max_size=3),
    st.integers(2, 12),
    st.integers(1, 4),
    st.booleans(),
)


@given(layouts)
def test_learnt_and_judged_windows_share_no_point(layout: tuple[list[int], int, int, bool]) -> None:
    more, length, channels, solved = layout
    starts = starts_of([length + points for points in more], length)
    folds = split_in_time(starts, length, channels, solved=solved)
    assert len(folds) <= MAX_BLOCKS + 2
    for fold in folds:
        assert not points_of(starts[fold.learnt], length) & points_of(starts[fold.judged], length)
        assert len(fold.learnt) >= MIN_LEARNT and len(fold.judged)
        assert (np.diff(fold.learnt) > 0).all() and (np.diff(fold.judged) > 0).all()


def blocks(folds: list[Fold]) -> list[Fold]:
    """The folds before those that judge what comes after a cut."""
    return folds[:MAX_BLOCKS]


def test_every_judged_window_lies_in_one_block() -> None:
    length, points = 10, 1_000
    starts = starts_of([points], length)
    folds = split_in_time(starts, length, 1, solved=True)
    assert len(folds) == 7
    size = points / MAX_BLOCKS
    for number, fold in enumerate(blocks(folds)):
        first, last = starts[fold.judged], starts[fold.judged] + length - 1
        assert (first // size == number).all() and (last // size == number).all()
        assert len(fold.judged) == size - length + 1
        # The windows that overlap neither block's edge are learnt.
        left_out = len(starts) - len(fold.learnt) - len(fold.judged)
        assert left_out == (length - 1) * (1 if number in (0, MAX_BLOCKS - 1) else 2)
    judged = np.concatenate([fold.judged for fold in blocks(folds)])
    assert len(np.unique(judged)) == len(judged)


def test_what_comes_after_a_cut_is_judged_by_what_comes_before() -> None:
    length, points = 10, 1_000
    starts = starts_of([points], length)
    half, quarter = split_in_time(starts, length, 1, solved=True)[MAX_BLOCKS:]
    for fold, cut in ((half, 500), (quarter, 750)):
        assert (starts[fold.learnt] + length - 1 < cut).all() and len(fold.learnt) == cut - length + 1
        assert (starts[fold.judged] >= cut).all() and len(fold.judged) == points - cut - length + 1


def test_blocks_and_cuts_are_those_of_each_series() -> None:
    length, sizes = 10, [400, 200]
    starts = starts_of(sizes, length)
    second = int(np.flatnonzero(np.diff(starts) != 1)[0]) + 1
    offset = np.where(np.arange(len(starts)) < second, starts, starts - starts[second])
    size = np.where(np.arange(len(starts)) < second, *sizes)
    folds = split_in_time(starts, length, 1, solved=True)
    assert len(folds) == 7
    for number, fold in enumerate(blocks(folds)):
        for part in (fold.judged < second, fold.judged >= second):
            rows = fold.judged[part]
            assert len(rows) > 0
            assert (offset[rows] * MAX_BLOCKS // size[rows] == number).all()
            assert ((offset[rows] + length - 1) * MAX_BLOCKS // size[rows] == number).all()
    for fold, cut in zip(folds[MAX_BLOCKS:], (0.5, 0.75), strict=True):
        assert (offset[fold.judged] >= cut * size[fold.judged]).all()
        assert (offset[fold.learnt] + length - 1 < cut * size[fold.learnt]).all()
        assert {True, False} == set((fold.learnt < second).tolist()) == set((fold.judged < second).tolist())


def test_trained_networks_judge_two_halves() -> None:
    starts = starts_of([1_000], 10)
    first, second = split_in_time(starts, 10, 1, solved=False)
    assert first.judged.tolist() == second.learnt.tolist() == list(range(491))
    assert second.judged.tolist() == first.learnt.tolist() == list(range(500, 991))


@pytest.mark.parametrize(
    ("windows", "channels", "folds"),
    [(6, 1, 7), (6, 3, 5), (MIN_WINDOWS_TO_CUT * 3 - 1, 3, 5), (MIN_WINDOWS_TO_CUT * 3, 3, 7)],
)
def test_several_channels_need_a_long_series_for_cuts(windows: int, channels: int, folds: int) -> None:
    length = 20
    found = split_in_time(starts_of([windows * length], length), length, channels, solved=True)
    assert len(found) == folds


def test_the_longest_series_says_whether_there_are_cuts() -> None:
    length = 20
    long, short = MIN_WINDOWS_TO_CUT * 3 * length, 3 * length
    for sizes, folds in (([short, long], 7), ([short, short, short], 2)):
        assert len(split_in_time(starts_of(sizes, length), length, 3, solved=True)) == folds


@pytest.mark.parametrize(("points", "folds"), [(16, 0), (17, 0), (32, 0), (44, 0), (46, 2), (48, 2)])
def test_few_points_have_few_folds_or_none(points: int, folds: int) -> None:
    """A half must have room for eight windows: 23 points at a length of 16."""
    assert len(split_in_time(starts_of([points], 16), 16, 1, solved=False)) == folds


def test_a_cut_leaves_eight_windows_to_learn() -> None:
    found = {n: split_in_time(starts_of([n], 16), 16, 1, solved=True) for n in (16, 24, 32, 46, 64)}
    assert [len(folds) for folds in found.values()][:2] == [0, 0]
    assert all(len(fold.learnt) >= MIN_LEARNT for folds in found.values() for fold in folds)
    assert len(found[64]) == 6  # four blocks, and two cuts


def test_there_are_more_blocks_the_longer_the_series_is() -> None:
    length, found = 20, []
    for windows in (2, 3, 4, 5, 9):
        folds = split_in_time(starts_of([windows * length + length], length), length, 9, solved=True)
        found.append(len(folds))
    assert found == sorted(found) and found[-1] == MAX_BLOCKS and found[0] < MAX_BLOCKS


def test_learning_all_windows_holds_the_last_out() -> None:
    length = 10
    rows = np.arange(MIN_WINDOWS_TO_SPLIT * length)
    split = learn_windows(rows, rows + 1_000, length, hold_out=True)
    assert split.held_out.tolist() == list(range(144, 160)) and len(split.calibration) == 0
    assert split.fit.tolist() == list(range(134)) and not split.shared
    assert not points_of(split.fit, length) & points_of(split.held_out, length)


@pytest.mark.parametrize(("windows", "hold_out"), [(159, True), (5, True), (500, False)])
def test_few_windows_are_all_learnt(windows: int, hold_out: bool) -> None:
    rows = np.arange(windows)
    split = learn_windows(rows, rows, 10, hold_out=hold_out)
    assert split.fit.tolist() == rows.tolist() and len(split.set_aside) == 0 and not split.shared


def test_some_windows_are_learnt_and_no_others() -> None:
    length, rows = 5, np.concatenate([np.arange(100), np.arange(300, 400)])
    split = learn_windows(rows, np.arange(1_000), length, hold_out=True)
    assert set(split.fit.tolist()) | set(split.held_out.tolist()) <= set(rows.tolist())
    assert split.held_out.tolist() == list(range(380, 400)) and split.fit.max() == 374


@given(st.integers(1, 900), st.integers(2, 20))
def test_uses_of_windows_share_no_point(windows: int, length: int) -> None:
    split = split_windows(np.arange(windows), length)
    if split.shared:
        assert windows < MIN_WINDOWS_TO_SPLIT * length and len(split.fit) == windows
        return
    parts = [points_of(part, length) for part in (split.fit, split.held_out, split.calibration)]
    assert parts[0] and parts[2]
    assert not parts[0] & parts[1] and not parts[0] & parts[2] and not parts[1] & parts[2]
    assert 0.15 * windows - 4 <= len(split.calibration) <= 0.15 * windows


@given(st.lists(st.booleans(), min_size=1, max_size=60), st.integers(1, 10))
def test_overlap_with_a_chosen_window(flags: list[bool], length: int) -> None:
    positions, chosen = np.arange(len(flags)) * 2 + 7, np.array(flags)
    expected = [
        any(abs(p - q) < length for q in positions[chosen]) or bool(c)
        for p, c in zip(positions, chosen, strict=True)
    ]
    assert overlaps_any(positions, chosen, length).tolist() == expected
