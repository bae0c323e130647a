"""Tensors of earlier formats get the names of the present one."""

from __future__ import annotations

import pytest

from diabolo.persistence.upgrade import upgrade_tensor_name


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("loom/curves", "window_mixture/curves"),
        ("loom/steps", "window_mixture/is_discrete"),
        ("loom/twins", "window_mixture/duplicate_of"),
        ("loom/gaps", "window_mixture/presence_patterns"),
        ("loom/turns", "window_mixture/transitions"),
        ("brief/calm", "evidence/subsequences/stillness"),
        ("brief/positions", "evidence/subsequences/positions"),
        ("level/low", "evidence/level/low"),
        ("crowd/prints", "evidence/knn_distance/fingerprints"),
        ("crowd/oddness", "evidence/knn_distance/scores"),
        ("calibration/oddness", "calibration/scores"),
        ("residuals/worst", "evidence/residual/largest_error"),
        ("network/masked/stems.real.alphabet.weight", "network/masked/stems.real.embedding.weight"),
        ("network/noisy/white.linear.noise", "network/noisy/base.whitening.window_filter.noise"),
        ("memory/reach", "memory/number_weights"),
        ("axes/centre", "axes/centre"),
    ],
)
def test_a_tensor_has_the_name_of_format_3(old: str, new: str) -> None:
    assert upgrade_tensor_name(old, {"distance", "residual"}) == new


def test_sizes_of_errors_that_no_score_used_are_dropped() -> None:
    assert upgrade_tensor_name("residuals/curve", {"distance", "level"}) is None
