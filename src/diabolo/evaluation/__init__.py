"""The comparison of two tables: column by column, in pairs, by a classifier two-sample test, and for privacy.

A table is a mapping from names to arrays: (rows,) floats are a number, NaN where it is missing; (rows,)
objects are labels as text, `MISSING` where one is missing.
"""

from diabolo.evaluation.discriminator import TwoSampleResult, two_sample_test
from diabolo.evaluation.privacy import DistanceSpace, PrivacyReport, nearest_rows, privacy_report
from diabolo.evaluation.similarity import column_similarity, pair_similarity
from diabolo.evaluation.tables import MISSING, Table, is_number, row_count, take_rows

__all__ = [
    "MISSING",
    "DistanceSpace",
    "PrivacyReport",
    "Table",
    "TwoSampleResult",
    "column_similarity",
    "is_number",
    "nearest_rows",
    "pair_similarity",
    "privacy_report",
    "row_count",
    "take_rows",
    "two_sample_test",
]
