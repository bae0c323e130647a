"""How well one table stands for another: column by column, in pairs, to a judge; and what it gives away.

A table is a mapping from names to arrays: (rows,) floats are a number, NaN where it is missing; (rows,)
objects are labels as text, `MISSING` where one is missing.
"""

from diabolo.evaluation.discriminator import Verdict, two_sample_test
from diabolo.evaluation.privacy import NEAR, PrivacyReport, Space, nearest, privacy_report
from diabolo.evaluation.similarity import column_similarity, pair_similarity
from diabolo.evaluation.tables import MISSING, Table, is_number, row_count, take_rows

__all__ = [
    "MISSING",
    "NEAR",
    "PrivacyReport",
    "Space",
    "Table",
    "Verdict",
    "column_similarity",
    "is_number",
    "nearest",
    "pair_similarity",
    "privacy_report",
    "row_count",
    "take_rows",
    "two_sample_test",
]
