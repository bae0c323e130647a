"""A table: find odd rows, see which cells are odd, fill holes.

    python examples/table.py [FOLDER]

writes report and answers into FOLDER (here, if not given).
"""

import sys
from pathlib import Path

from diabolo import Autoencoder
from diabolo.datasets import adults

folder = Path(sys.argv[1] if len(sys.argv) > 1 else ".")
people = adults().to_pandas()

# Three entries go wrong.
people.loc[7, ["age", "education"]] = [17, "Doctorate"]
people.loc[100, "hours-per-week"] = 400
people.loc[1500, ["relationship", "sex"]] = ["Wife", "Male"]

model = Autoencoder(alarm_rate=0.01).fit(people)
scores = model.score_rows(people)
print("the oddest rows:", *scores["bits"].nlargest(5).round(1).items())

for row in (7, 100, 1500):
    cells = model.explain(people, rows=[row]).to_frame().nlargest(2, "share")
    for cell in cells.itertuples():
        print(
            f"row {row}, {cell.column}: got {cell.got}, expected {cell.expected} ({cell.share:.0f} % of it)"
        )

repaired = model.repair(people)
repaired.to_frame().to_csv(folder / "repaired.csv", index=False)
print(len(repaired.changes), "holes filled")

model.save(folder / "people.diabolo")
model.report(people, folder / "people.html")
