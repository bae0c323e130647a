"""What a report shows of images."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from diabolo.data.columns import Image
from diabolo.engine import Engine
from diabolo.report.cards import Card
from diabolo.report.drawing import charts
from diabolo.report.drawing.heat_map import HeatScale
from diabolo.report.drawing.png import Thumbnail
from diabolo.report.drawing.thumbnails import make_thumbnail
from diabolo.report.formatting import count
from diabolo.report.images.before_after import before_after
from diabolo.report.images.cards import image_cards
from diabolo.report.images.sheets import contact_sheets, reconstructions
from diabolo.report.images.shown import ShownImages
from diabolo.report.view import Overview, View

MAP_SIDE = 48  # pixels of the longer side of an image on the map: a choice


class ImageView(View):
    """Images: a table whose only scored column holds images."""

    kind = "image"
    unit = "image"
    max_sampled = 200  # a choice
    describes_columns = False

    @classmethod
    def claims(cls, engine: Engine) -> bool:
        scored = engine.schema.scored
        return (
            engine.source.kind == "table" and len(scored) == 1 and isinstance(engine.schema[scored[0]], Image)
        )

    @property
    def column(self) -> str:
        """The name of the column with the images."""
        return self.engine.schema.scored[0]

    @cached_property
    def images(self) -> ShownImages:
        """The images, as a page shows them."""
        return ShownImages(self.engine, self.frame, self.column)

    @property
    def has_detector(self) -> bool:
        """Whether heat maps come from a detector of defects, so that their bits are calibrated."""
        return self.engine.images is not None and self.engine.images.defects is not None

    @property
    def max_bits(self) -> float:
        """The bits that the calibration supports."""
        return self.engine.calibration.max_bits

    @property
    def size(self) -> str:
        return f"{count(self.user_table.rows)} images"

    @property
    def frame_bits(self) -> np.ndarray:
        return np.asarray(self.bits)

    def when(self, row: int) -> str:
        return self.images.names[row]

    def headline(self, number: int, first: Card) -> str:
        """Return the number of anomalies and the most anomalous of them, in one sentence.

        Args:
            number: how many images are in alarm, at least 1.
            first: the card of the most anomalous one.
        """
        rows, finding = self.user_table.rows, first.title
        if number == 1:
            return f"One of {count(rows)} images is anomalous: {finding}."
        return f"{count(number)} of {count(rows)} images are anomalous; the most anomalous is {finding}."

    @cached_property
    def _cards(self) -> tuple[list[Card], HeatScale]:
        return image_cards(self)

    def cards(self) -> list[Card]:
        return self._cards[0]

    def overview(self, n_cards: int) -> Overview:
        """Return the anomaly scores of all images; those that have a card are labelled.

        Args:
            n_cards: how many cards the page has.
        """
        rows = np.argsort(-self.bits, kind="stable")[:n_cards].tolist()
        labels = {row: f"{self.when(row)}: {self.bits[row]:.1f} bits" for row in rows}
        title = "Anomaly score of every image"
        drawing = charts.row_scores(
            "rows", self.bits, self.scores.threshold, labels, title=title, unit="image"
        )
        return Overview([("", drawing)])

    def thumbnails(self, rows: list[int]) -> dict[int, Thumbnail]:
        exact = self.images.are_exact or None
        return {
            row: make_thumbnail(self.images.small(row), self.when(row), most=MAP_SIDE, exact=exact)
            for row in self.images.are_present(rows)
        }

    @property
    def files(self) -> list[str]:
        return self.images.files

    def further_content(self) -> dict[str, Any]:
        return {
            "heat": self._cards[1],
            "sheets": contact_sheets(self),
            "reconstructions": reconstructions(self),
            "denoised": before_after(self),
        }

    def alarm_caveats(self) -> list[str]:
        return []

    def caveats(self) -> list[str]:
        """Return what is not seen in images of this size."""
        shape = self.engine.source.images.get(self.column)
        if shape is None:
            return []
        height, width = shape[:2]
        by_detector = (
            " The anomaly score and the heat maps come from a detector that reads images at their own size."
            if self.has_detector
            else " What is smaller than a pixel of that size adds nothing to the anomaly score."
        )
        return [f"The networks read images at {height} x {width} pixels.{by_detector}"]

    @property
    def about_expected(self) -> str:
        return (
            "“Expected” is what the model would have predicted in place of the image, or of its parts from "
            "what lies around them. It does not prove that the image is wrong, and names no cause."
        )
