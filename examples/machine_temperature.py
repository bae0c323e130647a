"""A machine that failed: the classic autoencoder from a configuration file, and the default of diabolo.

    python examples/machine_temperature.py [FOLDER [EPOCHS]]

Write the table and the configuration file into FOLDER (default: the current folder), for the command line.
"""

import shutil
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from pandas.tseries.holiday import USFederalHolidayCalendar

from diabolo import Autoencoder, DiaboloWarning, tasks
from diabolo.datasets import machine_temperature, machine_temperature_windows

warnings.simplefilter("default", DiaboloWarning)  # warnings of a fit about its data are no errors here
folder = Path(sys.argv[1] if len(sys.argv) > 1 else ".")
quick = {"epochs": float(sys.argv[2])} if len(sys.argv) > 2 else {}
fresh = {"version": None, **quick}  # each run gets its own version
series = machine_temperature().to_pandas()
known = int(0.7 * len(series))

# The usual table of this case: the value, and features of the calendar.
at, day = series["timestamp"], series["timestamp"].dt.normalize()
holidays = USFederalHolidayCalendar().holidays("2013-01-01", "2014-12-31")
table = pd.DataFrame({"value": series["value"], "minutes": 60.0 * at.dt.hour + at.dt.minute})
table["holiday_distance"] = [np.abs(holidays - d).min().days for d in day]
table["index"] = np.arange(len(table), dtype=float)
table["weekday"], table["holiday"] = at.dt.day_name(), np.where(day.isin(holidays), "yes", "no")
(folder / "machine_temperature").mkdir(exist_ok=True)
table[:known].to_csv(folder / "machine_temperature" / "train.csv", index=False)
config = shutil.copy(Path(__file__).with_suffix(".yaml"), folder)


def show(name: str, model: Autoencoder, data: pd.DataFrame) -> None:
    """Print the most anomalous segments: alarms with less than six hours between them."""
    found = tasks.score(model, data)
    rows = np.flatnonzero(found.alarm)
    print(f"{name}: {len(rows)} of {len(data)} points are alarms")
    apart = at.iloc[rows].diff().to_numpy() > np.timedelta64(6, "h")
    stretches = [s for s in np.split(rows, np.flatnonzero(apart)) if len(s)]
    for s in sorted(stretches, key=lambda s: -found.bits[s].max())[:8]:
        labelled = any(at[s[0]] <= end and start <= at[s[-1]] for start, end in machine_temperature_windows())
        said = "labelled" if labelled else ""
        print(f"    {at[s[0]]} to {at[s[-1]]}  {found.bits[s].max():6.1f} bits  {said}")


classic = Autoencoder.from_config(config).set_params(**fresh).fit(table[:known])
show("all columns scored", classic, table)
read = {"scored": ["value"], "context": None}  # all other columns are context
context = Autoencoder.from_config(config).set_params(**fresh, **read).fit(table[:known])
show("only the value scored", context, table)
ours = Autoencoder(time="timestamp", **quick).fit(series[:known])
show("diabolo's default", ours, series)
