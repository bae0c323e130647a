"""A time series: fit its first part, and score all of it.

    python examples/series.py [FOLDER]

Write a report into FOLDER (default: the current folder).
"""

import sys
from pathlib import Path

from diabolo import Autoencoder, tasks
from diabolo.datasets import machine_temperature

folder = Path(sys.argv[1] if len(sys.argv) > 1 else ".")
series = machine_temperature().to_pandas()
known = series.iloc[: int(0.7 * len(series))]

model = Autoencoder(time="timestamp").fit(known)
scores = tasks.score(model, series)

print("alarm threshold:", round(scores.threshold, 1), "bits")
for episode in sorted(scores.episodes, key=lambda e: -e.bits)[:8]:
    start, end = series["timestamp"][episode.start], series["timestamp"][episode.end]
    print(f"{start} to {end}: {episode.bits:.0f} bits, severity {episode.severity:.0f}")

worst = max(scores.episodes, key=lambda e: e.bits)
print(model.explain(series, rows=[worst.peak]).to_frame().to_string(index=False))
model.report(series, folder / "machine.html")
