"""Make the golden files: models of this format with what they say of their inputs.

Run by hand, and only when `FORMAT` is raised or a kind of data is added; files of older formats stay, so that
they are loaded from then on: `python -m tests.golden.make`.
"""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from diabolo import Autoencoder, DiaboloWarning
from diabolo.persistence.storage import FORMAT
from tests import made

HERE = Path(__file__).parent
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


def main() -> None:
    table = made.with_cell(made.mixed(40, seed=9), "double", 3, 25.0)
    series = made.with_cell(made.wave(80, seed=9), "value", 11, 4.0)
    models = {
        "table": Autoencoder(layers=(24, 16), embedding=4, epochs=60),
        "series": Autoencoder(time="time", window=16, layers=(16,), epochs=20),
    }
    pa.parquet.write_table(table, HERE / "table.parquet")
    pa.csv.write_csv(series, HERE / "series.csv")
    for name, file, train in (
        ("table", "table.parquet", made.mixed(400, seed=8)),
        ("series", "series.csv", made.wave(300, seed=8)),
    ):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DiaboloWarning)
            models[name].fit(train)
        models[name].save(HERE / f"{name}.{FORMAT}.diabolo")
        said = answers(models[name], HERE / file)
        (HERE / f"{name}.{FORMAT}.json").write_text(json.dumps(said, indent=1) + "\n")


if __name__ == "__main__":
    main()
