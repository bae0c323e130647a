"""Names of tensors in formats 1 and 2 become those of format 3."""

from __future__ import annotations

import pytest

from diabolo.persistence.upgrade import upgrade_tensor_names, upgrade_window_mixture_name


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("loom/mean", "window_mixture/mean"),
        ("loom/steps", "window_mixture/is_discrete"),
        ("loom/twins", "window_mixture/duplicate_of"),
        ("loom/gaps", "window_mixture/presence_patterns"),
        ("loom/turns", "window_mixture/transitions"),
        ("memory/positions", "memory/positions"),
        ("network/cells/loom/mean", "network/cells/loom/mean"),
    ],
)
def test_arrays_of_the_window_mixture_get_their_new_names(old: str, new: str) -> None:
    assert upgrade_window_mixture_name(old) == new


def test_tensors_that_would_share_a_name_are_refused() -> None:
    assert upgrade_tensor_names({"loom/mean": 1, "axes/centre": 2}) == {
        "window_mixture/mean": 1,
        "axes/centre": 2,
    }
    with pytest.raises(ValueError, match="the same meaning"):
        upgrade_tensor_names({"loom/mean": 1, "window_mixture/mean": 2})
