"""Make the golden files: models of this format with what they say of their inputs.

Run by hand, and only when `FORMAT` is raised or a kind of data is added; files of older formats stay, so that
they are loaded from then on: `python -m tests.golden.make`.
"""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from diabolo import Autoencoder, DiaboloWarning
from diabolo.persistence.storage import FORMAT
from tests import made

HERE = Path(__file__).parent
DATA = {"table": HERE / "table.parquet", "series": HERE / "series.csv", "images": HERE / "images.npy"}
ROWS = [0, 3, 7, 11, 19]


def answers(model: Autoencoder, data: Any) -> dict[str, Any]:
    """What a model says: the bits of every row, and the bits and the shares of the cells of some."""
    explained = model.explain(data, rows=ROWS)
    return {
        "score": model.anomaly_score(data).tolist(),
        "bits": explained.bits.tolist(),
        "share": explained.share.tolist(),
        "columns": list(explained.names),
    }


def data_of(kind: str) -> Any:
    """The data that golden models of a kind are asked about: a path, or an array of images."""
    return np.load(DATA[kind]) if kind == "images" else DATA[kind]


def main() -> None:
    table = made.with_cell(made.mixed(40, seed=9), "double", 3, 25.0)
    series = made.with_cell(made.wave(80, seed=9), "value", 11, 4.0)
    images = made.pictures(40, seed=9)
    images[7] = 255 - images[7]
    pa.parquet.write_table(table, DATA["table"])
    pa.csv.write_csv(series, DATA["series"])
    np.save(DATA["images"], images)
    for kind, model, training in (
        ("table", Autoencoder(layers=(24, 16), embedding=4, epochs=60), made.mixed(400, seed=8)),
        ("series", Autoencoder(time="time", window=16, layers=(16,), epochs=20), made.wave(300, seed=8)),
        ("images", Autoencoder(layers=(8,), epochs=20), made.pictures(200, seed=8)),
    ):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DiaboloWarning)
            model.fit(training)
        model.save(HERE / f"{kind}.{FORMAT}.diabolo")
        said = answers(model, data_of(kind))
        (HERE / f"{kind}.{FORMAT}.json").write_text(json.dumps(said, indent=1) + "\n")


if __name__ == "__main__":
    main()
