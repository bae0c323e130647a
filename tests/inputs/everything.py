"""All kinds of input, in the order of the page."""

from tests.inputs.dtypes import TYPES
from tests.inputs.files import READ
from tests.inputs.image_files import IMAGE_FILES
from tests.inputs.image_values import IMAGE_VALUES
from tests.inputs.series import SERIES_KINDS
from tests.inputs.shapes import SHAPES
from tests.inputs.values import VALUES

KINDS = [*SHAPES, *VALUES, *TYPES, *READ, *SERIES_KINDS, *IMAGE_FILES, *IMAGE_VALUES]
