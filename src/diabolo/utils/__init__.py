"""Functions that know nothing of data, models or tasks: files, checks, numerics, random state, progress."""
