"""A Gaussian mixture over windows, from which new series are sampled."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from diabolo.data.fields import Batch, Curve
from diabolo.data.sources import Frame
from diabolo.data.splitting import Split
from diabolo.detection import ModelParts
from diabolo.generation.context import context_features
from diabolo.generation.missing_patterns import MAX_PATTERNS, fit_missing_patterns, sample_missing_patterns
from diabolo.generation.mixtures import fit_gaussian_mixture
from diabolo.generation.normal_scores import MIN_SCORE_DEVIATION, NormalScores
from diabolo.utils.sampling import evenly_spaced
from diabolo.utils.tensor_file import TensorSpec

MAX_WINDOWS = 10_000  # windows of the fit
_MAX_POINTS = 50_000  # points of the fit of normal scores
_VARIANCE_SHARE, _MAX_PRINCIPAL = 0.999, 100  # principal components: variance that they hold, and the most
_MIN_WIDTH_RANDOMIZED = 1_024  # numbers in a window from which on only the first components are computed
_MAX_COMPONENTS = 15  # components of the mixture
_NUMBERS_PER_WINDOW = 3.0  # numbers of a code for each window that does not overlap another
_WORK = 120.0  # products of EM for each number in the windows
_MAX_ITER = 20  # steps of EM
_CONTEXT_DEVIATION = 0.1  # deviation of the noise of context numbers, as of standard units; a choice
# Bounds of what a model file may hold: far above what a fit makes.
_MAX_STORED_COMPONENTS = 100
_MAX_STORED_WIDTH = 4_096  # knots of a curve, numbers of a code


class Conditional(NamedTuple):
    """What a pattern of known numbers implies for the codes, worked out once for all rows.

    In the terms of `WindowMixture.sample`: y is the code, o = A y + e is what is known, e ~ N(0, N).

    Attributes:
        known: (numbers,) which numbers of a window, and of its context, are known.
        gain: (code, known) A' N^-1.
        means: (components, code) the means m.
        mean_signals: (components, code) A' N^-1 A m.
        covariances: (components, code, code) the covariance C of the code, given what is known.
        roots: (components, code, code) Cholesky factors of `covariances`.
        log_weights: (components,) log-likelihoods, without the terms that depend on the values.
    """

    known: np.ndarray
    gain: np.ndarray
    means: np.ndarray
    mean_signals: np.ndarray
    covariances: np.ndarray
    roots: np.ndarray
    log_weights: np.ndarray


class WindowMixture:
    """A mixture of normal distributions over normal scores of windows, together with their context.

    The scores of a window (see `NormalScores`) are `mean + V y + noise`, V principal components. The first
    components and the context follow a mixture of normal distributions; the last components have the same
    distribution in all components of the mixture (mixtures of principal components: Tipping and Bishop,
    1999). Windows are sampled as a whole, or conditioned on some points and on the context.

    Attributes:
        arrays: for a model file: those of `NormalScores`; `mean` (numbers,), `directions` (numbers,
            components) and `noise` (numbers,) of the scores; `tail`: variances of the last principal
            components; `weights`, `means`, `covariances` of the mixture; and those of
            `fit_missing_patterns`.
    """

    def __init__(self, arrays: Mapping[str, np.ndarray]) -> None:
        self.arrays = {name: np.asarray(array) for name, array in arrays.items()}
        self.normal_scores = NormalScores(self.arrays)

    @classmethod
    def fit(cls, batch: Batch, context: np.ndarray, present: np.ndarray, seed: int) -> WindowMixture:
        """Learn from windows without missing values, in their order.

        Args:
            batch: the windows.
            context: (rows, context) numbers, as `context_features` returns them.
            present: (points, channels) which values of the series were present.
            seed: of the mixture.
        """
        rows = evenly_spaced(len(batch), MAX_WINDOWS)
        values = batch.values[Curve.kind].numpy()[rows].astype(float)
        _, channels, length = values.shape
        # Windows overlap: a few show all points.
        step = max(len(rows) * length // _MAX_POINTS, 1)
        normal_scores = NormalScores.fit(values[::step].transpose(0, 2, 1).reshape(-1, channels), values)
        scores = normal_scores.transform(values).reshape(len(rows), -1)
        mean = scores.mean(0)
        directions, size = _principal_components(scores - mean, seed)
        code = (scores - mean) @ directions
        unexplained = scores.var(0) - (directions**2 * code.var(0)).sum(1)
        tail = code[:, size:].var(0).clip(MIN_SCORE_DEVIATION**2)
        code = np.hstack([code[:, :size], context[rows]])
        # A component needs enough windows to estimate its directions: neighbours share nearly all points.
        enough = len(batch) / length * _NUMBERS_PER_WINDOW / code.shape[1]
        n_components = int(np.clip(enough, 1, _MAX_COMPONENTS))
        return cls(
            {
                **normal_scores.arrays,
                "mean": mean,
                "directions": directions,
                "tail": tail,
                "noise": unexplained.clip(MIN_SCORE_DEVIATION**2),
                **_fit_mixture(code, n_components, _WORK * scores.size, seed),
                **fit_missing_patterns(present),
            }
        )

    def condition_on(self, points: np.ndarray, context: np.ndarray) -> Conditional:
        """Work out once what a pattern of known numbers implies.

        Args:
            points: (channels, length) which points of a window are known.
            context: (context,) which numbers of its context are known.
        """
        tail = self.arrays["tail"]
        known = np.concatenate([points.ravel(), context])
        noise = np.concatenate([self.arrays["noise"], np.full(len(context), _CONTEXT_DEVIATION**2)])[known]
        loadings = self._loadings(len(context))[known]
        gain = loadings.T / noise
        precision = gain @ loadings
        means = np.pad(self.arrays["means"], ((0, 0), (0, len(tail))))
        mean_signals = means @ precision
        log_weights = np.log(self.arrays["weights"]) - (means * mean_signals).sum(1) / 2
        covariances = np.empty((len(means), *precision.shape))
        mixed = len(precision) - len(tail)  # numbers of a code that differ between components
        for component, covariance in enumerate(self.arrays["covariances"]):
            posterior = precision.copy()
            posterior[:mixed, :mixed] += np.linalg.inv(covariance)
            posterior[mixed:, mixed:] += np.diag(1 / tail)
            covariances[component] = np.linalg.inv(posterior)
            determinants = np.linalg.slogdet(posterior)[1] + np.linalg.slogdet(covariance)[1]
            log_weights[component] -= determinants / 2
        covariances = (covariances + covariances.transpose(0, 2, 1)) / 2
        roots = np.linalg.cholesky(covariances)
        return Conditional(known, gain, means, mean_signals, covariances, roots, log_weights)

    def _loadings(self, context: int) -> np.ndarray:
        """Return the (numbers + context, code) matrix A from codes to scores and context.

        A code holds the components of the mixture, the context, and the components that all share.
        """
        directions = self.arrays["directions"]
        numbers, size = len(directions), self._mixed_directions()
        loadings = np.zeros((numbers + context, directions.shape[1] + context))
        loadings[:numbers, :size] = directions[:, :size]
        loadings[numbers:, size : size + context] = np.eye(context)
        loadings[:numbers, size + context :] = directions[:, size:]
        return loadings

    def _mixed_directions(self) -> int:
        """Return the number of principal components whose distribution is the mixture."""
        return int(self.arrays["directions"].shape[1] - len(self.arrays["tail"]))

    def sample(
        self, conditional: Conditional, values: np.ndarray, context: np.ndarray, random: np.random.Generator
    ) -> np.ndarray:
        """Sample whole windows, given what is known of them.

        Of a normal code y ~ N(m, S) of which o = A y + e is known, e ~ N(0, N), the covariance is
        `C = (S^-1 + A' N^-1 A)^-1` and the mean `m + C A' N^-1 (o - A m)`.

        Args:
            conditional: which numbers are known of every row, from `condition_on`.
            values: (rows, channels, length) points, in standard units; those not known are ignored.
            context: (rows, context) numbers; those not known are ignored.
            random: generator of the samples.

        Returns:
            (rows, channels, length) windows in standard units.
        """
        arrays = self.arrays
        centred = self.normal_scores.transform(values).reshape(len(values), -1) - arrays["mean"]
        signal = np.hstack([centred, context])[:, conditional.known] @ conditional.gain.T
        code = _sample_codes(conditional, signal, random)
        size = self._mixed_directions()
        code = np.delete(code, np.s_[size : size + context.shape[1]], 1)
        scores = arrays["mean"] + code @ arrays["directions"].T
        scores += np.sqrt(arrays["noise"]) * random.standard_normal(scores.shape)
        return self.normal_scores.inverse_transform(scores.reshape(values.shape))

    def sample_missing(self, rows: int, points: int, random: np.random.Generator) -> np.ndarray:
        """Sample which values are missing, as often and for as long as in the series of the fit.

        Args:
            rows: segments.
            points: of each segment.
            random: generator of the samples.

        Returns:
            (rows, points, channels) True where a value is missing.
        """
        if "presence_patterns" not in self.arrays:
            return np.zeros((rows, points, len(self.arrays["curves"])), bool)
        return sample_missing_patterns(self.arrays, rows, points, random)


def fit_window_mixture(
    parts: ModelParts, frame: Frame, split: Split, windows: Batch, seed: int
) -> WindowMixture:
    """Fit a mixture over the windows of a series, those that no network was trained on among them.

    Args:
        parts: of the model.
        frame: all windows of the fit.
        split: which of them networks were trained on.
        windows: the windows that networks were trained on, without missing values.
        seed: of the mixture.
    """
    aside = np.setdiff1d(np.concatenate([split.held_out, split.calibration]), split.fit)
    aside = aside[evenly_spaced(len(aside), len(aside) * len(windows) // max(len(split.fit), 1))]
    if len(aside):
        windows = Batch.concatenate([windows, parts.complete_windows(parts.schema.encode(frame[aside]))])
    context, _ = context_features(windows, parts.schema.fields, parts.schema.scored_fields)
    return WindowMixture.fit(windows, context, parts.source.present_values(frame), seed)


def expected_arrays(
    specs: Mapping[str, TensorSpec], channels: int, points: int
) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Return the type and the shape that each stored array must have, by what a header says of some.

    Args:
        specs: name of an array, without prefix -> what the header of the model file says of it.
        channels: of the series.
        points: numbers in a window: channels times length.

    Raises:
        ValueError: the sizes do not fit together.
        KeyError: an array is missing.
    """
    knots, directions = specs["curves"].shape[-1], specs["directions"].shape[-1]
    (tail,), (components, code) = specs["tail"].shape, specs["means"].shape
    _require(1 <= knots <= _MAX_STORED_WIDTH and 1 <= components <= _MAX_STORED_COMPONENTS)
    _require(tail < directions <= points and directions - tail <= code <= _MAX_STORED_WIDTH)
    shapes: dict[str, tuple[int, ...]] = {
        "curves": (channels, 3, knots),
        "is_discrete": (channels,),
        "duplicate_of": (channels,),
        "mean": (points,),
        "directions": (points, directions),
        "tail": (tail,),
        "noise": (points,),
        "weights": (components,),
        "means": (components, code),
        "covariances": (components, code, code),
    }
    if "presence_patterns" in specs:
        patterns = specs["presence_patterns"].shape[0]
        _require(1 <= patterns <= MAX_PATTERNS)
        shapes |= {"presence_patterns": (patterns, channels), "transitions": (patterns, patterns)}
    types = {"is_discrete": "BOOL", "presence_patterns": "BOOL", "duplicate_of": "I64"}
    return {name: (types.get(name, "F64"), shape) for name, shape in shapes.items()}


def check_arrays(arrays: Mapping[str, Tensor]) -> None:
    """Check that windows can be sampled from stored arrays of the expected shapes.

    Raises:
        ValueError: the numbers do not fit together.
    """
    curves, duplicate_of = arrays["curves"], arrays["duplicate_of"]
    _require(bool((curves[..., 1:] >= curves[..., :-1]).all()))
    _require(bool(((duplicate_of >= 0) & (duplicate_of <= torch.arange(len(duplicate_of)))).all()))
    for name in ("tail", "noise", "weights"):
        _require(bool((arrays[name] > 0).all()))
    _require(bool((torch.linalg.cholesky_ex(arrays["covariances"]).info == 0).all()))
    if "transitions" in arrays:
        transitions = arrays["transitions"]
        _require(bool((transitions >= 0).all()) and bool((transitions.sum(1) > 0).all()))


def _require(fits: bool) -> None:
    if not fits:
        raise ValueError("the stored window mixture is inconsistent")


def _sample_codes(conditional: Conditional, signal: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Sample the (rows, code) codes of windows, given (rows, code) A' N^-1 o."""
    rows = len(signal)
    distinct = signal if conditional.known.any() else signal[:1]  # all rows are equal if nothing is known
    fits = np.empty((len(distinct), len(conditional.log_weights)))
    for component, (mean, mean_signal, covariance) in enumerate(
        zip(conditional.means, conditional.mean_signals, conditional.covariances, strict=True)
    ):
        gap = distinct - mean_signal
        log_weight = conditional.log_weights[component]
        fits[:, component] = log_weight + distinct @ mean + ((gap @ covariance) * gap).sum(1) / 2
    cumulative = np.exp(fits - fits.max(1, keepdims=True)).cumsum(1)
    chosen = (cumulative < cumulative[:, -1:] * random.random((rows, 1))).sum(1)
    code = random.standard_normal(signal.shape)
    for component in np.unique(chosen):
        of_it = chosen == component
        shift = (signal[of_it] - conditional.mean_signals[component]) @ conditional.covariances[component]
        noise = code[of_it] @ conditional.roots[component].T
        code[of_it] = conditional.means[component] + shift + noise
    return code


def _principal_components(centred: np.ndarray, seed: int) -> tuple[np.ndarray, int]:
    """Return the (numbers, components) principal directions, and how many of them the mixture models."""
    if centred.shape[1] > _MIN_WIDTH_RANDOMIZED:
        from sklearn.utils.extmath import randomized_svd

        _, size, found = randomized_svd(centred, min(_MAX_PRINCIPAL, *centred.shape), random_state=seed)
        squares, directions = size**2, found.T
    else:
        squares, directions = np.linalg.eigh(centred.T @ centred)
        squares, directions = squares[::-1].clip(0), np.ascontiguousarray(directions[:, ::-1])
    share = np.cumsum(squares) / max(float((centred**2).sum()), 1e-12)
    enough = int(np.searchsorted(share, _VARIANCE_SHARE)) + 1
    return directions, min(enough, _MAX_PRINCIPAL, len(share))


def _fit_mixture(code: np.ndarray, n_components: int, work: float, seed: int) -> dict[str, np.ndarray]:
    """Fit weights, means and covariances; EM sees as many of the codes as `work` products allow."""
    member = np.ones((len(code), 1))
    ridge = 1e-6 * float(code.var()) + 1e-9
    if n_components > 1:
        most = max(int(work / (n_components * code.shape[1] ** 2)), 2 * code.shape[1])
        sample = code[evenly_spaced(len(code), most)]
        mixture = fit_gaussian_mixture(sample, n_components, ridge=ridge, max_iter=_MAX_ITER, seed=seed)
        member = mixture.predict_proba(code)
    weights = member.sum(0)
    means = member.T @ code / weights[:, None]
    covariances = np.stack(
        [
            (code * m[:, None]).T @ code / w - np.outer(mu, mu)
            for m, w, mu in zip(member.T, weights, means, strict=True)
        ]
    )
    covariances += ridge * np.eye(code.shape[1])
    return {"weights": weights / len(code), "means": means, "covariances": covariances}
