"""The command-line program: its commands, and the exit status of every error."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from diabolo.cli import commands, images
from diabolo.cli.arguments import add_model_flag
from diabolo.cli.commands import EXIT_BAD_INPUT
from diabolo.cli.info import info
from diabolo.cli.inputs import notes_on_stderr
from diabolo.cli.runs import list_runs
from diabolo.errors import DiaboloError, ModelFileError, need
from diabolo.version import __version__

if TYPE_CHECKING:
    import cyclopts
else:
    cyclopts = need("cyclopts", "cli")

# 70 is EX_SOFTWARE of BSD's sysexits.h; 130 is what a shell reports of a program that SIGINT ended.
EXIT_BAD_MODEL, EXIT_BUG, EXIT_INTERRUPTED = 3, 70, 130

app = cyclopts.App(
    name="diabolo",
    version=__version__,
    help="Fit an autoencoder to a table or a series; then find anomalous rows and cells, explain them, fill "
    "missing values, compare, embed, match and generate rows. DATA is a csv, tsv, parquet, arrow or ndjson "
    "file (text files also as .gz or .zst), an npy or npz file, an image, a folder of images, or - for csv "
    "on standard input. Start with: diabolo demo",
    help_format="plaintext",
    # `main` handles it.
    suppress_keyboard_interrupt=False,
)
for _command in (
    commands.fit,
    commands.score,
    commands.explain,
    commands.repair,
    commands.drift,
    commands.violations,
    commands.embed,
    images.denoise,
    images.match,
    images.verify,
    images.identify,
    images.group,
    commands.generate,
    commands.watch,
    commands.report,
    commands.demo,
    info,
):
    app.command(_command)
app.command(list_runs, name="runs")


def main() -> None:
    """Run the command line; every error becomes one message on standard error and an exit status."""
    try:
        with notes_on_stderr(sys.argv[1:]):
            app(sys.argv[1:], exit_on_error=False)
    except cyclopts.CycloptsError as error:  # cyclopts has printed the message
        if isinstance(error, cyclopts.MissingArgumentError) and (corrected := add_model_flag(sys.argv[1:])):
            print(f"Hint: {corrected}", file=sys.stderr)
        raise SystemExit(EXIT_BAD_INPUT) from None
    except ModelFileError as error:
        _fail(error, EXIT_BAD_MODEL)
    except (DiaboloError, ImportError) as error:
        _fail(error, EXIT_BAD_INPUT)
    except KeyboardInterrupt:
        _fail("interrupted", EXIT_INTERRUPTED)
    except BrokenPipeError:
        # The reader of a pipe has gone away; nothing more can be written, also not when Python exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except MemoryError:
        _fail("the data does not fit into memory", EXIT_BAD_INPUT)
    except Exception as error:
        if os.environ.get("DIABOLO_DEBUG"):
            raise
        message = f"internal error: {type(error).__name__}: {error}"
        _fail(f"{message}\nHint: DIABOLO_DEBUG=1 shows where it happened", EXIT_BUG)


def _fail(error: object, status: int) -> None:
    print(f"diabolo: {error}", file=sys.stderr)
    raise SystemExit(status)
