"""Wrong numbers: far from what the other columns let one expect, or wrong in one of the usual ways."""
