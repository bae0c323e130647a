"""`diabolo`, and `python -m diabolo`."""

import sys

from diabolo.errors import MissingExtraError


def main() -> None:
    """Run the command line, or say what it takes to have one."""
    try:
        from diabolo.outputs import cli
    except MissingExtraError as error:
        print(f"diabolo: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    cli.main()


if __name__ == "__main__":
    main()
