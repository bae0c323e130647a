from __future__ import annotations

import pytest

from diabolo.images.recognition.recognizer import Recognizer
from tests.images.recognition.people import images_of


@pytest.fixture(scope="session")
def recognizer() -> Recognizer:
    """Fitted to twelve people with four images each."""
    images, labels = images_of(12, 4)
    return Recognizer.fit(images, labels)
