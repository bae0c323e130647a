"""Sources read the user's data, and map answers back to the user's rows."""

from diabolo.data.images.folder import IMAGE_COLUMN
from diabolo.data.sources.base import Frame, Source
from diabolo.data.sources.series import Series
from diabolo.data.sources.table import Table
from diabolo.data.user_table import UserTable, read_user_table

SOURCES: tuple[type[Source], ...] = (Series, Table)

__all__ = ["IMAGE_COLUMN", "SOURCES", "Frame", "Series", "Source", "Table", "UserTable", "read_user_table"]
