"""Sources read the user's data and give answers back on the user's own rows."""

from diabolo.data.sources.base import Frame, Source
from diabolo.data.sources.series import Series
from diabolo.data.sources.table import Table
from diabolo.data.user_table import PICTURES, Native, read_native

SOURCES: tuple[type[Source], ...] = (Series, Table)

__all__ = ["PICTURES", "SOURCES", "Frame", "Native", "Series", "Source", "Table", "read_native"]
