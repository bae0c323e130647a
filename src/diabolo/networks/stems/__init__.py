"""How networks read the fields of a kind (stems) and predict them (heads).

A stem is added by its file and a line in `STEMS`; it makes the head that belongs to it.
"""

from collections.abc import Sequence

from diabolo.data.fields import Field
from diabolo.networks.stems.base import Guess, Head, InputStem, Stem, StemOptions
from diabolo.networks.stems.convolution import ConvolutionStem
from diabolo.networks.stems.flat import FlatNumbers, FlatStem, FlatSymbols
from diabolo.networks.stems.grid import CurveStem, PixelStem
from diabolo.networks.stems.real import RealStem
from diabolo.networks.stems.symbol import SymbolStem

STEMS: tuple[type[Stem], ...] = (
    RealStem,
    SymbolStem,
    CurveStem,
    ConvolutionStem,
    PixelStem,
    FlatNumbers,
    FlatSymbols,
)


def make_stem(fields: Sequence[Field], options: StemOptions) -> Stem:
    """Return a new stem for all fields of a kind: the first of `STEMS` that reads them for such a network.

    Args:
        fields: all fields of one kind, at least one.
        options: how the network reads and predicts.

    Raises:
        OptionError: such fields cannot be read in this way.
    """
    stem = next(s for s in STEMS if s.reads(fields, options))
    return stem.from_fields(fields, options)


__all__ = ["STEMS", "FlatStem", "Guess", "Head", "InputStem", "Stem", "StemOptions", "make_stem"]
