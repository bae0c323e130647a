"""What the networks and what the checks say of a cell is one probability and one reason."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diabolo.cleaning.joining import JudgedCells
from diabolo.cleaning.verdicts import Verdicts
from diabolo.detection.cell_errors import CellErrorModel

MODELS = [
    CellErrorModel(0.03),
    CellErrorModel(0.05, {}, knots=(-2.0, 0.0, 3.0), log_odds=(-6.0, -3.0, 2.0)),
]


def verdict(p_wrong: list[float]) -> Verdicts:
    made = Verdicts.empty(len(p_wrong))
    for row, p in enumerate(p_wrong):
        if 0 < p < 1:
            made.say(row, p, f"reason {row}")
    return made


@pytest.mark.parametrize("model", MODELS)
@given(st.lists(st.tuples(st.floats(-20, 20) | st.just(np.nan), st.floats(0.001, 0.999) | st.just(0.0))))
def test_the_stronger_evidence_counts(model: CellErrorModel, cells: list[tuple[float, float]]) -> None:
    nats, p = np.array([c[0] for c in cells]), [c[1] for c in cells]
    found = JudgedCells.join({"a": nats, "b": np.full(len(p), np.nan)}, {"a": verdict(p)}, model)
    assert found.p_wrong.shape == (len(cells), 2) and (found.p_wrong[:, 1] == 0).all()
    expected = np.maximum(model.wrong(nats), p)
    assert found.p_wrong[:, 0] == pytest.approx(expected, abs=1e-6)
    for row, (wrong, reason) in enumerate(zip(found.p_wrong[:, 0], found.reasons("a"), strict=True)):
        said = f"reason {row}" if p[row] > 0 else "unlikely given the other columns"
        assert reason == (said if wrong >= 0.5 else None)


def test_a_stronger_verdict_replaces_a_weaker_one() -> None:
    made = Verdicts.empty(3)
    made.say(0, 0.9, "first")
    made.say(0, 0.5, "weaker")
    assert made.reasons[0] == "first" and made.log_odds[0] == pytest.approx(np.log(9))
    made.say(0, 0.5, "weaker, with the right value", "oslo", 0.7)
    assert made.reasons[0] == "weaker, with the right value" and made.log_odds[0] == pytest.approx(np.log(9))
    assert made.suggestions[0] == "oslo" and made.confidence[0] == 0.7
    made.say(0, 0.99, "stronger")
    assert made.suggestions[0] is None
    made.clear(0)
    assert made.log_odds[0] == -np.inf and made.reasons[0] is None


def test_of_two_verdicts_the_surer_one_is_kept_row_by_row() -> None:
    one, other = verdict([0.9, 0.2, 0.0]), verdict([0.5, 0.6, 0.0])
    other.suggestions[1], other.confidence[1] = 5.0, 0.8
    found = one.joined(other)
    assert 1 / (1 + np.exp(-found.log_odds)) == pytest.approx([0.9, 0.6, 0])
    assert found.suggestions.tolist() == [None, 5.0, None] and found.confidence.tolist() == [0, 0.8, 0]
    assert found.reasons.tolist() == ["reason 0", "reason 1", None]
