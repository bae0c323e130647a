"""How the windows of a series are distributed: what new stretches are woven from."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import ndtri

from diabolo.data.fields import Batch, Curve, Field, Real, Symbol
from diabolo.utils.sampling import evenly_spaced

# Where the curve of a channel bends: few knots, so that it follows the tails and not every bump.
SHARES = np.array([0.0, 0.002, 0.02, 0.1, 0.3, 0.5, 0.7, 0.9, 0.98, 0.998, 1.0])
FEW, OFTEN = 256, 5  # a channel is drawn in steps if it has so few values, each so often
HELD, MOST = 0.999, 100  # components hold this share of the variance, and are at most so many
WIDE = 1_024  # numbers in a window from which on only the components that are wanted are looked for
WINDOWS, POINTS = 10_000, 50_000  # that are learnt from: windows, and points by which curves bend
PARTS, ENOUGH = 15, 3.0  # of the mixture, at most; numbers of a code for each window that does not overlap
WORK = 120.0  # products for each number in the windows
ROUNDS = 20
VALLEY = 5.0  # times as dense are the values at both sides of one
FINEST = 1e-3  # deviation of scores below which nothing is told apart
SURE = 0.1  # deviation of what stands beside a window
HARMONICS = 2  # of what goes round in a circle
PATTERNS = 64  # of missing values
SYMBOLS = 64  # a label with more of them is not looked at


class Conditional(NamedTuple):
    """What follows from one pattern of known numbers, for each part of the mixture.

    Attributes:
        known: (numbers,) which numbers of a window, and of what stands beside it, are known.
        back: (code, known) what they say of the code.
        means: (parts, code) its means.
        pull: (parts, code) what they would say if they were as each part has them in the mean.
        inverse: (parts, code, code) the covariance of the code, given them.
        root: its root.
        log: (parts,) logarithm of the likelihood, as far as it does not hang on the values.
    """

    known: np.ndarray
    back: np.ndarray
    means: np.ndarray
    pull: np.ndarray
    inverse: np.ndarray
    root: np.ndarray
    log: np.ndarray


class WindowMixture:
    """A mixture of normal distributions over windows in normal scores, with what stands beside them.

    Values of a channel become normal scores: along a straight line, or along a curve through some quantiles
    where windows are then likelier; where there are few values, each becomes the middle of its ranks, and
    what is drawn is one of them. The scores of a window are `mean + V y + noise`, V principal components; the
    first ones and what stands beside are a mixture of normal distributions, the last ones are alike in all
    parts of it (mixtures of principal components: Tipping and Bishop, 1999). Windows are drawn as a whole,
    or given some points and what stands beside, by the textbook.

    Attributes:
        arrays: for a model file. `curves` (channels, 3, knots): values, scores, and the score up to which
            a value reaches; `steps` (channels,): whether it has few values; `twins` (channels,): the first
            channel that is the same; `mean`, `directions`, `noise` of the scores; `tail`: variances of the
            last components; `weights`, `means`, `covariances` of the mixture. Where points are missing,
            `gaps` (patterns, channels): which channels are there, and `turns` (patterns, patterns): the
            share of the points of each that are followed by each.
    """

    def __init__(self, arrays: Mapping[str, np.ndarray]) -> None:
        self.arrays = {name: np.asarray(array) for name, array in arrays.items()}

    @classmethod
    def fit(cls, batch: Batch, context: np.ndarray, there: np.ndarray, seed: int) -> WindowMixture:
        """Learn from windows without holes, in their order.

        Args:
            batch: the windows.
            context: (rows, context) what stands beside them.
            there: (points, channels) which values of the series were there.
            seed: of the mixture.
        """
        rows = evenly_spaced(len(batch), WINDOWS)
        values = batch.values[Curve.kind].numpy()[rows].astype(float)
        _, channels, length = values.shape
        # Windows overlap: a few show all points.
        points = values[:: max(len(rows) * length // POINTS, 1)].transpose(0, 2, 1).reshape(-1, channels)
        curves = [_curve(points[:, c], values[:, c]) for c in range(channels)]
        knots = max(curve.shape[1] for curve, _ in curves)
        loom = cls(
            {
                "curves": np.stack([np.pad(c, ((0, 0), (0, knots - c.shape[1])), "edge") for c, _ in curves]),
                "steps": np.array([steps for _, steps in curves]),
                "twins": np.array([_first_like(points, c) for c in range(channels)]),
            }
        )
        scores = loom.scores(values).reshape(len(rows), -1)
        mean = scores.mean(0)
        directions, size = _components(scores - mean, seed)
        code = (scores - mean) @ directions
        left = scores.var(0) - (directions**2 * code.var(0)).sum(1)
        tail = code[:, size:].var(0).clip(FINEST**2)
        code = np.hstack([code[:, :size], context[rows]])
        # A part must hold windows enough to tell its directions: neighbours share nearly all points.
        parts = int(np.clip(len(batch) / length * ENOUGH / code.shape[1], 1, PARTS))
        loom.arrays |= {"mean": mean, "directions": directions, "tail": tail, "noise": left.clip(FINEST**2)}
        loom.arrays |= _mixture(code, parts, WORK * scores.size, seed) | _gaps(there)
        return loom

    def scores(self, values: np.ndarray) -> np.ndarray:
        """(rows, channels, length) normal scores of values in standard units."""
        curves = self.arrays["curves"]
        return np.stack([np.interp(values[:, c], *curves[c, :2]) for c in range(len(curves))], 1)

    def values(self, scores: np.ndarray) -> np.ndarray:
        """The inverse of `scores`; in the range, and of the few values, that were seen."""
        found = np.empty_like(scores)
        for c, (value, score, upto) in enumerate(self.arrays["curves"]):
            twin = int(self.arrays["twins"][c])
            if twin < c:
                found[:, c] = found[:, twin]
            elif self.arrays["steps"][c]:
                place = np.searchsorted(upto, scores[:, c])
                found[:, c] = value[np.minimum(place, len(value) - 1)]
            else:
                found[:, c] = np.interp(scores[:, c], score, value)
        return found

    def condition_on(self, points: np.ndarray, beside: np.ndarray) -> Conditional:
        """What has to be worked out once for a pattern of known numbers.

        Args:
            points: (channels, length) which points of a window are known.
            beside: (context,) which numbers of its context are.
        """
        arrays, tail = self.arrays, self.arrays["tail"]
        size, numbers = arrays["directions"].shape[1] - len(tail), len(arrays["mean"])
        known = np.concatenate([points.ravel(), beside])
        # The code: components of the mixture, what stands beside, and components that all parts share.
        whole = np.zeros((len(known), size + len(beside) + len(tail)))
        whole[:numbers, :size] = arrays["directions"][:, :size]
        whole[numbers:, size : size + len(beside)] = np.eye(len(beside))
        whole[:numbers, size + len(beside) :] = arrays["directions"][:, size:]
        noise = np.concatenate([arrays["noise"], np.full(len(beside), SURE**2)])[known]
        back = whole[known].T / noise
        said = back @ whole[known]
        means = np.pad(arrays["means"], ((0, 0), (0, len(tail))))
        pull = means @ said
        log = np.log(arrays["weights"]) - (means * pull).sum(1) / 2
        inverse = np.empty((len(means), *said.shape))
        for part, covariance in enumerate(arrays["covariances"]):
            own = said.copy()
            mixed, rest = slice(size + len(beside)), slice(size + len(beside), None)
            own[mixed, mixed] += np.linalg.inv(covariance)
            own[rest, rest] += np.diag(1 / tail)
            inverse[part] = np.linalg.inv(own)
            log[part] -= (np.linalg.slogdet(own)[1] + np.linalg.slogdet(covariance)[1]) / 2
        inverse = (inverse + inverse.transpose(0, 2, 1)) / 2
        return Conditional(known, back, means, pull, inverse, np.linalg.cholesky(inverse), log)

    def sample(
        self, given: Conditional, values: np.ndarray, beside: np.ndarray, random: np.random.Generator
    ) -> np.ndarray:
        """(rows, channels, length) whole windows in standard units, drawn given what is known of them.

        Of a normal code y ~ N(m, S) of which o = A y + e is known, e ~ N(0, N), the covariance is
        `C = (S^-1 + A' N^-1 A)^-1` and the mean `m + C A' N^-1 (o - A m)`.

        Args:
            given: which numbers are known of every row.
            values: (rows, channels, length) points, in standard units.
            beside: (rows, context) what stands beside them.
            random: of the draws.
        """
        arrays, rows = self.arrays, len(values)
        away = self.scores(values).reshape(rows, -1) - arrays["mean"]
        said = np.hstack([away, beside])[:, given.known] @ given.back.T
        asked = said if given.known.any() else said[:1]  # where nothing is known, all rows are alike
        fits = np.empty((len(asked), len(given.log)))
        for part, (mean, pull, inverse) in enumerate(
            zip(given.means, given.pull, given.inverse, strict=True)
        ):
            gap = asked - pull
            fits[:, part] = given.log[part] + asked @ mean + ((gap @ inverse) * gap).sum(1) / 2
        share = np.exp(fits - fits.max(1, keepdims=True)).cumsum(1)
        chosen = (share < share[:, -1:] * random.random((rows, 1))).sum(1)
        code = random.standard_normal(said.shape)
        for part in np.unique(chosen):
            mine = chosen == part
            shift = (said[mine] - given.pull[part]) @ given.inverse[part]
            code[mine] = given.means[part] + shift + code[mine] @ given.root[part].T
        size = arrays["directions"].shape[1] - len(arrays["tail"])
        code = np.delete(code, np.s_[size : size + beside.shape[1]], 1)
        scores = arrays["mean"] + code @ arrays["directions"].T
        scores += np.sqrt(arrays["noise"]) * random.standard_normal(scores.shape)
        return self.values(scores.reshape(values.shape))

    def holes(self, rows: int, points: int, random: np.random.Generator) -> np.ndarray:
        """(rows, points, channels) holes, as often and as long as they were: a Markov chain."""
        if "gaps" not in self.arrays:
            return np.zeros((rows, points, len(self.arrays["curves"])), bool)
        upto = self.arrays["turns"].cumsum(1)
        state = np.zeros((rows, points), np.int64)
        for point in range(1, points):
            state[:, point] = (
                (upto[state[:, point - 1]] < random.random((rows, 1))).sum(1).clip(max=len(upto) - 1)
            )
        return ~np.asarray(self.arrays["gaps"])[state]


def beside(
    batch: Batch, fields: Mapping[str, Sequence[Field]], scored: Mapping[str, np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """(rows, numbers) what stands beside windows, not scored, and (rows, numbers) what of it is known."""
    numbers, known = [np.zeros((len(batch), 0))], [np.zeros((len(batch), 0), bool)]
    for kind in (Real.kind, Symbol.kind):
        for index in np.flatnonzero(~scored.get(kind, np.ones(0, bool))).tolist():
            value, there = (part[kind][:, index].numpy() for part in (batch.values, batch.visible))
            field = fields[kind][index]
            if isinstance(field, Symbol):
                size = len(field.counts) - 1
                if size > SYMBOLS and not field.circular:
                    continue
                there = there & (value > 0)
                if field.circular:
                    angle = 2 * np.pi * value[:, None] * np.arange(1, HARMONICS + 1) / size
                    found = np.hstack([np.cos(angle), np.sin(angle)])
                else:
                    found = value[:, None] == np.arange(1, size + 1)
            else:
                found = value[:, None].astype(float)
            numbers.append(np.where(there[:, None], found, 0.0))
            known.append(np.repeat(there[:, None], found.shape[1], 1))
    return np.hstack(numbers), np.hstack(known)


def _curve(points: np.ndarray, windows: np.ndarray) -> tuple[np.ndarray, bool]:
    """(3, knots) values, scores, and the score up to which each value reaches; whether they are few."""
    value, seen = np.unique(points, return_counts=True)
    if len(value) <= min(FEW, len(points) / OFTEN):
        upto = np.cumsum(seen) / len(points)
        edge = ndtri(np.r_[upto[:-1], 1 - 0.5 / len(points)])
        return np.stack([value, ndtri(upto - seen / len(points) / 2), edge]), True
    ends = np.array([value[0], value[-1]])
    straight = np.stack([ends, ends - points.mean(), ends])
    straight[1] /= points.std()
    share = SHARES.clip(0.5 / len(points), 1 - 0.5 / len(points))
    value = np.quantile(points, share)
    bends = np.r_[True, np.diff(value) > 1e-9 * (value[-1] - value[0])]
    bent = np.stack([value, ndtri(share), value])[:, bends]
    dense = np.diff(share[bends]) / np.diff(bent[0])
    left, right = np.maximum.accumulate(dense), np.maximum.accumulate(dense[::-1])[::-1]
    if (np.minimum(left, right) > VALLEY * dense).any():
        # Bent, what lies apart would be brought together: to tell it apart is for the parts of the mixture.
        return straight, False
    return min((straight, bent), key=lambda curve: _nats(curve, points, windows)), False


def _nats(curve: np.ndarray, points: np.ndarray, windows: np.ndarray) -> float:
    """For each point, if the scores of windows are jointly normal: the less, the better the curve suits."""
    scores = np.interp(windows, *curve[:2])
    covariance = np.cov(scores.T, bias=True) + FINEST**2 * np.eye(windows.shape[1])
    slope = np.diff(curve[1]) / np.diff(curve[0])
    place = np.searchsorted(curve[0][1:-1], points)
    return float(np.linalg.slogdet(covariance)[1] / len(covariance) / 2 - np.log(slope[place]).mean())


def _first_like(points: np.ndarray, channel: int) -> int:
    """The first channel that has the same values."""
    return next(c for c in range(channel + 1) if np.array_equal(points[:, c], points[:, channel]))


def _components(away: np.ndarray, seed: int) -> tuple[np.ndarray, int]:
    """(numbers, components) directions in which windows vary most, and how many of them parts differ in."""
    if away.shape[1] > WIDE:
        from sklearn.utils.extmath import randomized_svd

        _, size, found = randomized_svd(away, min(MOST, *away.shape), random_state=seed)
        squares, directions = size**2, found.T
    else:
        squares, directions = np.linalg.eigh(away.T @ away)
        squares, directions = squares[::-1].clip(0), np.ascontiguousarray(directions[:, ::-1])
    held = np.cumsum(squares) / max(float((away**2).sum()), 1e-12)
    return directions, min(int(np.searchsorted(held, HELD)) + 1, MOST, len(held))


def _gaps(there: np.ndarray) -> dict[str, np.ndarray]:
    """The patterns of missing values, and which follows which; nothing where all values are there."""
    if there.all():
        return {}
    patterns, state, often = np.unique(there, axis=0, return_inverse=True, return_counts=True)
    state = state.ravel()
    kept = np.argsort(-often, kind="stable")[:PATTERNS]
    order = np.full(len(patterns), -1)
    order[kept] = np.arange(len(kept))
    before, after = order[state[:-1]], order[state[1:]]
    both = (before >= 0) & (after >= 0)
    turns = np.zeros((len(kept), len(kept)))
    np.add.at(turns, (before[both], after[both]), 1.0)
    # One more way back to what is most usual, so that no pattern lasts for ever.
    turns[:, 0] += 1e-6
    return {"gaps": patterns[kept], "turns": turns / turns.sum(1, keepdims=True)}


def _mixture(code: np.ndarray, parts: int, work: float, seed: int) -> dict[str, np.ndarray]:
    """Weights, means and covariances; parts are found in as many of the codes as that much work allows."""
    member = np.ones((len(code), 1))
    spread = 1e-6 * float(code.var()) + 1e-9
    if parts > 1:
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.mixture import GaussianMixture

        most = max(int(work / (parts * code.shape[1] ** 2)), 2 * code.shape[1])
        few = evenly_spaced(len(code), most)
        mixture = GaussianMixture(parts, reg_covar=spread, max_iter=ROUNDS, random_state=seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            member = mixture.fit(code[few]).predict_proba(code)
    weights = member.sum(0)
    means = member.T @ code / weights[:, None]
    covariances = np.stack(
        [
            (code * m[:, None]).T @ code / w - np.outer(mu, mu)
            for m, w, mu in zip(member.T, weights, means, strict=True)
        ]
    )
    covariances += spread * np.eye(code.shape[1])
    return {"weights": weights / len(code), "means": means, "covariances": covariances}
