"""What a column looks like to a network: its stem (how it is read) and its head (how it is predicted).

Every column becomes one field or more; all fields of a kind share one stem and one head.
"""

from diabolo.data.fields.base import Field, Reading
from diabolo.data.fields.batch import Batch, broadcast_fields
from diabolo.data.fields.curve import Curve
from diabolo.data.fields.picture import Picture
from diabolo.data.fields.real import Real
from diabolo.data.fields.symbol import Symbol

FIELDS: tuple[type[Field], ...] = (Real, Symbol, Curve, Picture)

__all__ = ["FIELDS", "Batch", "Curve", "Field", "Picture", "Reading", "Real", "Symbol", "broadcast_fields"]
