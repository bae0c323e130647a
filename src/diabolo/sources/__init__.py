"""Sources read the user's data and give answers back on the user's own rows."""

from diabolo.sources.base import Frame, Source
from diabolo.sources.native import PICTURES, Native, read_native
from diabolo.sources.series import Series
from diabolo.sources.table import Table

SOURCES: tuple[type[Source], ...] = (Series, Table)

__all__ = ["PICTURES", "SOURCES", "Frame", "Native", "Series", "Source", "Table", "read_native"]
