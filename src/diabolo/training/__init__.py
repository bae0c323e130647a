"""From data to a fitted engine: split, train, build, calibrate, update."""
