"""How answers are shown: command line, report, plots."""
