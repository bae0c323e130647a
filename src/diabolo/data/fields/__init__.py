"""Kinds of fields: the numbers that a column gives to a network, and what they mean.

Every column becomes one field or more. How networks read and predict the fields of a kind: see
`diabolo.networks.stems`.
"""

from diabolo.data.fields.base import Field
from diabolo.data.fields.batch import Batch, broadcast_fields
from diabolo.data.fields.curve import Curve
from diabolo.data.fields.picture import Picture
from diabolo.data.fields.real import Real
from diabolo.data.fields.symbol import Symbol

FIELDS: tuple[type[Field], ...] = (Real, Symbol, Curve, Picture)

__all__ = ["FIELDS", "Batch", "Curve", "Field", "Picture", "Real", "Symbol", "broadcast_fields"]
