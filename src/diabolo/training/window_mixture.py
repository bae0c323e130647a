"""Fit the mixture that new series are sampled from."""

from __future__ import annotations

import numpy as np

from diabolo.data.fields import Batch
from diabolo.data.sources import Frame
from diabolo.data.splitting import Split
from diabolo.detection import ModelParts
from diabolo.generation.context import context_features
from diabolo.generation.window_mixture import WindowMixture
from diabolo.utils.sampling import evenly_spaced


def fit_window_mixture(
    parts: ModelParts, frame: Frame, split: Split, windows: Batch, seed: int
) -> WindowMixture:
    """Fit a mixture over the windows of a series; those that were set aside belong to it too.

    Args:
        parts: of the model.
        frame: all windows of the fit.
        split: which of them networks were trained on.
        windows: those, without missing points.
        seed: of the mixture.
    """
    aside = np.setdiff1d(np.concatenate([split.held_out, split.calibration]), split.fit)
    aside = aside[evenly_spaced(len(aside), len(aside) * len(windows) // max(len(split.fit), 1))]
    if len(aside):
        windows = Batch.concatenate([windows, parts.complete_windows(parts.schema.encode(frame[aside]))])
    context, _ = context_features(windows, parts.schema.fields, parts.schema.scored_fields)
    return WindowMixture.fit(windows, context, parts.source.present_values(frame), seed)
