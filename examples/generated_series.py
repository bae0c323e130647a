"""A series that goes on: learn two channels with a daily rhythm, and draw what could come next.

    python examples/generated_series.py [FOLDER]

writes a picture, series.svg, into FOLDER (here, if not given).
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd

from diabolo import Autoencoder
from diabolo.report.drawing.axes import Scale
from diabolo.report.drawing.svg import Drawing

folder = Path(sys.argv[1] if len(sys.argv) > 1 else ".")
rng, hour = np.random.default_rng(0), np.arange(24 * 120)
day = 2 * np.pi * hour / 24
series = pd.DataFrame(
    {
        "time": pd.Timestamp("2024-01-01") + pd.to_timedelta(hour, "h"),
        "load": 50 + 20 * np.sin(day) + 6 * np.sin(2 * day) + 2 * rng.normal(size=len(hour)),
        "price": 30 + 8 * np.sin(day - 0.7) ** 3 + rng.normal(size=len(hour)),
    }
)

model = Autoencoder(time="time").fit(series)
new = model.generate(24 * 10, seed=1).to_frame()
print(new.head(3).to_string(index=False))
for name in ("load", "price"):
    print(f"{name}: deviation {series[name].std():.1f} before, {new[name].std():.1f} in what was drawn")
pair = series[["load", "price"]].corr().iloc[0, 1], new[["load", "price"]].corr().iloc[0, 1]
print(f"correlation of the two: {pair[0]:.2f} before, {pair[1]:.2f} in what was drawn")

shown = pd.concat([series.tail(24 * 10), new], ignore_index=True)
drawing = Drawing(900, 260, "goes-on")
x = Scale(0, len(shown), 10, 890)(np.arange(len(shown)))
for name, top in (("load", 20), ("price", 140)):
    y = Scale(shown[name].min(), shown[name].max(), top + 100, top)(shown[name].to_numpy())
    drawing.path(x, y, "value")
    drawing.text(12, top - 4, name)
drawing.line(450, 10, 450, 250, "border")
drawing.text(456, 255, "drawn by the model")
style = "<style>svg{background:#fff;font:12px sans-serif}path,line{fill:none;stroke:#1f5fa8}</style>"
head, rest = drawing.svg("A series and what could come next", "Right of the line it is drawn.").split(">", 1)
picture = f'{head} xmlns="http://www.w3.org/2000/svg">{style}{rest}'
(folder / "series.svg").write_text(picture, encoding="utf-8")
