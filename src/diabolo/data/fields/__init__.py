"""Kinds of fields: the numbers that a column gives to a network, and what they mean.

Every column becomes one field or more. How networks read and predict the fields of a kind: see
`diabolo.networks.stems`.
"""

from diabolo.data.fields.base import Field
from diabolo.data.fields.batch import CHUNK_ROWS, Batch, broadcast_fields
from diabolo.data.fields.curve import Curve
from diabolo.data.fields.pixels import Pixels
from diabolo.data.fields.real import Real
from diabolo.data.fields.symbol import Symbol

FIELDS: tuple[type[Field], ...] = (Real, Symbol, Curve, Pixels)

__all__ = ["CHUNK_ROWS", "FIELDS", "Batch", "Curve", "Field", "Pixels", "Real", "Symbol", "broadcast_fields"]
