"""What a column looks like to a network: its stem (how it is read) and its head (how it is predicted).

Every column becomes one field or more; all fields of a kind share one stem and one head.
"""

from diabolo.fields.base import Field, Reading
from diabolo.fields.codes import Codes, by_field
from diabolo.fields.curve import Curve
from diabolo.fields.picture import Picture
from diabolo.fields.real import Real
from diabolo.fields.symbol import Symbol

FIELDS: tuple[type[Field], ...] = (Real, Symbol, Curve, Picture)

__all__ = ["FIELDS", "Codes", "Curve", "Field", "Picture", "Reading", "Real", "Symbol", "by_field"]
