"""`diabolo`, and `python -m diabolo`."""

import os
import sys

from diabolo.errors import MissingExtraError


def main() -> None:
    """Run the command line, or say what it takes to have one."""
    try:
        from diabolo.cli import app as cli
    except MissingExtraError as error:
        print(f"diabolo: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    try:
        cli.main()
    except SystemExit as end:
        if isinstance(end.code, int) and end.code:
            # A reader that was left half-way has threads of its own. An ordinary end would not wait for them:
            # the process would abort, and lose its status.
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(end.code)
        raise


if __name__ == "__main__":
    main()
