"""A progress bar with an estimate of the remaining time."""

from __future__ import annotations

import atexit
import sys
from collections.abc import Callable

from diabolo.errors import need

Progress = Callable[[str, float, float | None], None]
"""Called with the name of a step, the share that is done, and the seconds left (None if unknown)."""


def progress_bar() -> Progress:
    """Return a callback that draws a progress bar on standard error.

    It draws nothing if standard error is not a terminal. Each step has a line of its own.

    Raises:
        MissingExtraError: standard error is a terminal, and rich is not installed.
    """
    if not sys.stderr.isatty():
        return _silent
    need("rich", "cli")
    from rich.console import Console
    from rich.progress import BarColumn, TaskID, TextColumn
    from rich.progress import Progress as Bar

    live: dict[str, tuple[Bar, TaskID]] = {}

    def stop() -> None:
        for shown, _ in live.values():
            shown.stop()

    # If the work fails, the terminal gets its cursor back.
    atexit.register(stop)

    def show(name: str, done: float, left: float | None) -> None:
        if name not in live:
            made = Bar(
                TextColumn("{task.description}"),
                BarColumn(),
                TextColumn("{task.percentage:>3.0f} %"),
                TextColumn("{task.fields[left]}"),
                console=Console(stderr=True),
            )
            live[name] = (made, made.add_task(name, total=1.0, left=""))
            made.start()
        shown, task = live[name]
        words = "" if left is None or done >= 1 else f"{time_left(left)} left"
        shown.update(task, completed=min(max(done, 0.0), 1.0), left=words)
        if done >= 1:
            # Stopped at once: a live bar would garble the text that is printed next.
            shown.stop()
            del live[name]

    return show


def time_left(seconds: float) -> str:
    """Return a duration as rough text: 8 s, 3 min, 2 h 10 min.

    Example:
        >>> time_left(190)
        '3 min'
    """
    whole = max(round(seconds), 0)
    if whole < 90:
        return f"{whole} s"
    minutes = round(whole / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


def _silent(name: str, done: float, left: float | None) -> None:
    return None
