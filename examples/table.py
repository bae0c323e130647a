"""A table: find anomalous rows, explain them by their cells, impute missing values.

    python examples/table.py [FOLDER]

Write the report and the repaired table into FOLDER (default: the current folder).
"""

import sys
from pathlib import Path

from diabolo import Autoencoder
from diabolo.datasets import adults

folder = Path(sys.argv[1] if len(sys.argv) > 1 else ".")
people = adults().to_pandas()

# Inject errors into three rows.
people.loc[7, ["age", "education"]] = [17, "Doctorate"]
people.loc[100, "hours-per-week"] = 400
people.loc[1500, ["relationship", "sex"]] = ["Wife", "Male"]

model = Autoencoder(alarm_rate=0.01).fit(people)
scores = model.score_rows(people)
print("the most anomalous rows:", *scores["bits"].nlargest(5).round(1).items())

for row in (7, 100, 1500):
    cells = model.explain(people, rows=[row]).to_frame().nlargest(2, "share")
    for cell in cells.itertuples():
        values = f"observed {cell.observed}, expected {cell.expected}"
        print(f"row {row}, {cell.column}: {values} ({cell.share:.0f} %)")

repaired = model.repair(people)
repaired.to_frame().to_csv(folder / "repaired.csv", index=False)
print(len(repaired.changes), "missing values imputed")

model.save(folder / "people.diabolo")
model.report(people, folder / "people.html")
