"""`python -m diabolo` is `diabolo`."""

from diabolo.outputs.cli import main

if __name__ == "__main__":
    main()
