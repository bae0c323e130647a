"""How far a training is: by steps, or by the CPU seconds that were spent."""

from __future__ import annotations

import time

from diabolo.utils.progress import Progress

SHOW_EVERY = 10  # steps between two reports of progress


class Budget:
    """Say which share of a training is done.

    Args:
        steps: a number of steps, with which training is repeatable; None counts seconds.
        seconds: of the processor.
        progress: is told the share and the seconds left; or None.
        name: of the training, for `progress`.
    """

    def __init__(self, steps: int | None, seconds: float, progress: Progress | None, name: str) -> None:
        self.steps, self.seconds, self.progress, self.name = steps, seconds, progress, name
        self.taken = 0
        self.start = time.process_time()

    def share(self) -> float:
        """Return the share that is done, 0 to 1, and count a step."""
        spent = time.process_time() - self.start
        done = spent / self.seconds if self.steps is None else self.taken / self.steps
        done = min(done, 1.0) if self.taken else 0.0  # one step at least, however short the time
        if self.progress is not None and (done >= 1 or self.taken % SHOW_EVERY == 0):
            left = spent * (1 - done) / done if done > 0 else None
            self.progress(self.name, done, left)
        self.taken += 1
        return done
