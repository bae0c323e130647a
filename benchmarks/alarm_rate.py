"""Rate of false alarms: python -m benchmarks.alarm_rate --data DIR --json OUT [--seeds N] [--sets a,b].

DIR holds `.npz` with `X` and `y` (ADBench); only normal rows are used, half to fit and half to score, so that
every alarm is a false one. For n calibration rows and m scored rows, the number of false alarms of a
conformal rule at rate r is beta-binomial: m draws whose probability is Beta(k, n + 1 - k), where k is
floor(r (n + 1)). The claim: the count lies in the central 95 % of that distribution about 95 % of the time.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.stats import betabinom

from benchmarks import common
from diabolo import Autoencoder

RATES = (0.001, 0.01, 0.05)
MAX_ROWS = 16_000
CLAIM = "the share of normal rows that are alarms is the requested rate"
PROTOCOL = (
    "normal rows only, at most 16,000, shuffled; half to fit (of which 15 % calibrate), half to score; one "
    "epoch, as the guarantee does not depend on the network; inside: within the beta-binomial 95 % band; "
    "seen: fitted rows scored again"
)


def split(x: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return a random half of the rows to fit, and the other half to score."""
    rows = np.random.default_rng(seed).permutation(len(x))[:MAX_ROWS]
    half = len(rows) // 2
    return x[rows[:half]], x[rows[half:]]


def synthetic_rows(seed: int) -> np.ndarray:
    """Return rows with correlated, heavy-tailed, discrete and mixed columns."""
    rng = np.random.default_rng(1_000 + seed)
    base = rng.normal(size=(MAX_ROWS, 3))
    group = rng.integers(0, 3, MAX_ROWS)
    columns = [base, base @ rng.normal(size=(3, 3)) + 0.3 * rng.normal(size=(MAX_ROWS, 3)), group[:, None]]
    columns += [np.exp(base[:, :1]), rng.standard_t(2, size=(MAX_ROWS, 1)), rng.poisson(2 + group)[:, None]]
    return np.hstack(columns)


def measure(name: str, x: np.ndarray, seed: int) -> list[dict[str, Any]]:
    """Return one row of results for each rate that the calibration rows can support."""
    fit, new = split(x, seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = Autoencoder(epochs=1, seed=seed).fit(fit)
    n, m = len(model.engine_.calibration.scores), len(new)
    bits, seen_bits = model.anomaly_score(new), model.anomaly_score(fit)
    results = []
    for rate in RATES:
        k = int(rate * (n + 1) + 1e-9)
        if k < 1:
            continue
        alarms = int((bits > -np.log2(rate)).sum())
        low, high = betabinom.interval(0.95, m, k, n + 1 - k)
        row = {"set": name, "seed": seed, "rate": rate, "calibration": n, "scored": m, "alarms": alarms}
        row["expected"] = k / (n + 1)
        seen = float((seen_bits > -np.log2(rate)).mean())
        results.append({**row, "share": alarms / m, "seen": seen, "inside": bool(low <= alarms <= high)})
    return results


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure every set and seed, and synthetic data; print and write the shares."""
    options = common.parse(arguments, description=__doc__ or "", default_seeds=8)
    rows: list[dict[str, Any]] = []
    for name, path in common.find_sets(options.data, ".npz", options.sets).items():
        table = common.read_npz(path)
        normal = np.asarray(table["X"], dtype=float)[np.asarray(table["y"]) == 0]
        for seed in range(options.seeds):
            rows += measure(name, normal, seed)
            print(name, seed, file=sys.stderr)
    for seed in range(3 * options.seeds):
        rows += measure("made", synthetic_rows(seed), seed)
    means: dict[str, Any] = {"inside": float(np.mean([r["inside"] for r in rows])), "counts": len(rows)}
    lines = []
    for rate in RATES:
        part = [r for r in rows if r["rate"] == rate]
        if part:
            shares = {
                k: float(np.mean([r[k] for r in part])) for k in ("expected", "share", "seen", "inside")
            }
            means |= {f"{k}_{rate}": v for k, v in shares.items()}
            lines.append([f"{rate:.1%}", len(part), *(f"{v:.2%}" for v in shares.values())])
    common.print_table(["rate", "splits", "expected", "new rows", "seen rows", "inside the band"], lines)
    common.write_result(
        options.json, claim=CLAIM, protocol=PROTOCOL, seeds=options.seeds, rows=rows, mean=means, peers={}
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
