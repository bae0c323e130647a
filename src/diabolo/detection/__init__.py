"""How anomalous is a row, and how probably is a cell wrong: evidence, and its calibration to bits."""
