"""Shared by all benchmark scripts: command line, data sets, CPU time, printed tables and JSON output."""

from __future__ import annotations

import argparse
import gzip
import importlib.metadata
import io
import json
import math
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, ParamSpec, TypeVar

import numpy as np
from numpy.typing import NDArray

Parameters = ParamSpec("Parameters")
Returned = TypeVar("Returned")

NO_DATA = 3
"""Exit code if the folder holds no file that the script reads: not a failure, there is nothing to do."""

OURS = "diabolo"
"""Name of diabolo with its defaults in tables, rows and files."""

LIBRARIES = ("diabolo", "numpy", "torch", "scikit-learn", "pyod")
"""Libraries whose versions are written to the results, if installed."""


@dataclass(frozen=True)
class Options:
    """Command-line options of all benchmark scripts.

    Attributes:
        data: Folder of data sets.
        json: File to write the results to.
        scores: Folder for the raw results of the detectors, or None to discard them.
        seeds: Number of seeds; the seeds are 0, 1, ... seeds - 1.
        peers: Names of the peers to run in addition to the default of diabolo.
        sets: Names of the only sets to run; empty means all of them.
        protocol: How data are split and results evaluated, if a script has several ways.
        pictures: Folder for the plots, if the script draws any and they are requested.
    """

    data: Path
    json: Path
    scores: Path | None
    seeds: int
    peers: tuple[str, ...]
    sets: tuple[str, ...]
    protocol: str = ""
    pictures: Path | None = None


def parse(
    arguments: Sequence[str] | None,
    *,
    description: str,
    known_peers: Iterable[str] = (),
    default_peers: Iterable[str] = (),
    default_seeds: int = 1,
    needs_data: bool = True,
    protocols: Sequence[str] = (),
    has_plots: bool = False,
) -> Options:
    """Parse the command line; an error in it ends the program with exit code 2 and a hint.

    Args:
        arguments: The arguments after the program's name; None reads `sys.argv`.
        description: What the script measures, for `--help`.
        known_peers: The peers that `--peers` may name.
        default_peers: The peers that run when `--peers` is not given.
        default_seeds: The number of seeds when `--seeds` is not given.
        needs_data: Whether a folder is required; a script that generates its data accepts one and ignores it.
        protocols: The choices of `--protocol`, the default first; if empty, there is no such option.
        has_plots: Whether there is `--pictures`.
    """
    known, default = tuple(known_peers), ",".join(default_peers)
    parser = argparse.ArgumentParser(description=description)
    data_help = "folder of data sets" if needs_data else "not used"
    parser.add_argument(
        "--data", type=Path, required=needs_data, default=Path(), metavar="DIR", help=data_help
    )
    parser.add_argument("--json", type=Path, required=True, metavar="OUT", help="file for the results")
    parser.add_argument("--scores", type=Path, metavar="DIR", help="folder for the raw results")
    parser.add_argument("--seeds", type=int, default=default_seeds, metavar="N", help="default %(default)s")
    parser.add_argument(
        "--peers",
        type=_split_names,
        default=_split_names(default),
        metavar="a,b",
        help=f"of {', '.join(known) or 'none'}; default {default or 'none'}; '' runs none",
    )
    sets_help = "only these sets or tables (file stems)"
    parser.add_argument("--sets", "--tables", type=_split_names, default=(), metavar="a,b", help=sets_help)
    if protocols:
        parser.add_argument("--protocol", choices=protocols, default=protocols[0], help="default %(default)s")
    if has_plots:
        parser.add_argument("--pictures", type=Path, metavar="DIR", help="folder for plots, NAME.svg")
    options = Options(**vars(parser.parse_args(arguments)))
    unknown = [peer for peer in options.peers if peer not in known]
    if unknown:
        parser.error(f"unknown peers {', '.join(unknown)}; known are {', '.join(known) or 'none'}")
    if options.seeds < 1:
        parser.error(f"--seeds must be at least 1, got {options.seeds}")
    if not options.data.is_dir():
        parser.error(f"--data must be a folder, got {options.data}")
    return options


def _split_names(text: str) -> tuple[str, ...]:
    """Split "a,b" into names, without repetitions."""
    return tuple(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))


def find_sets(folder: Path, suffixes: str | tuple[str, ...], only: Sequence[str] = ()) -> dict[str, Path]:
    """Return the data sets of a folder by name, sorted; other files are ignored.

    Args:
        folder: Where to look; subfolders are not entered.
        suffixes: The file suffixes, for example ".npz"; compressed files, ".npz.gz", are accepted too.
        only: Names to keep; empty keeps all.

    Raises:
        SystemExit: If nothing is found (code 3), or a name in `only` does not exist (code 1).
    """
    found = {}
    for path in sorted(folder.iterdir()):
        name = path.name.removesuffix(".gz")
        if path.is_file() and name.endswith(suffixes) and not name.startswith("."):
            found[name.rpartition(".")[0]] = path
    if not found:
        expected = suffixes if isinstance(suffixes, str) else " or ".join(suffixes)
        skip(f"no {expected} file in {folder}, compressed (.gz) or not")
    missing = [name for name in only if name not in found]
    if missing:
        raise SystemExit(f"no set named {', '.join(missing)} in {folder}")
    return {name: path for name, path in found.items() if not only or name in only}


def skip(reason: str) -> NoReturn:
    """Print why there is nothing to do, and end the program with exit code 3."""
    print(reason, file=sys.stderr)
    raise SystemExit(NO_DATA)


def read_npz(path: Path) -> dict[str, NDArray[Any]]:
    """Read all arrays of a .npz or .npz.gz file; pickled objects are refused."""
    content = path.read_bytes()
    if path.suffix == ".gz":
        content = gzip.decompress(content)
    with np.load(io.BytesIO(content), allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def timed(
    function: Callable[Parameters, Returned], *args: Parameters.args, **kwargs: Parameters.kwargs
) -> tuple[Returned, float]:
    """Call the function; return its result and the CPU seconds that the process spent on it."""
    start = time.process_time()
    result = function(*args, **kwargs)
    return result, time.process_time() - start


def machine() -> dict[str, Any]:
    """Describe the machine and the library versions, without anything that identifies its owner."""
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        **{library: _version(library) for library in LIBRARIES},
    }


def _processor() -> str:
    """Return the processor's name; on Linux it is in a file that `platform` does not read."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or "unknown"


def _version(library: str) -> str | None:
    try:
        return importlib.metadata.version(library)
    except importlib.metadata.PackageNotFoundError:
        return None


def keep_scores(
    folder: Path, name: str, seed: int, scores: NDArray[np.float64], labels: NDArray[np.integer[Any]]
) -> None:
    """Write `SET.SEED.npz` with `scores` (higher = more anomalous) and `labels`, for other evaluations."""
    folder.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(folder / f"{name}.{seed}.npz", scores=scores, labels=labels)


def mean(values: Iterable[float | None]) -> float | None:
    """Return the mean of the values that are not None; None if all are."""
    present = [value for value in values if value is not None]
    return math.fsum(present) / len(present) if present else None


def print_table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table: the first column left-aligned, the others, mostly numbers, right-aligned."""
    lines = [list(header), *([_format_cell(value) for value in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for number, line in enumerate(lines):
        first, *others = (
            cell.rjust(width) if index else cell.ljust(width)
            for index, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        print("  ".join([first, *others]).rstrip())
        if number == 0:
            print("  ".join("-" * width for width in widths))


def _format_cell(value: object) -> str:
    if value is None:
        return "-"
    if not isinstance(value, float):
        return str(value)
    return f"{value:.2f}" if abs(value) >= 1 else f"{value:.3f}"


def write_result(
    path: Path,
    *,
    claim: str,
    protocol: str,
    seeds: int,
    rows: Sequence[Mapping[str, Any]],
    mean: Mapping[str, Any],
    peers: Mapping[str, Mapping[str, Any]],
) -> None:
    """Write the results of a benchmark as JSON.

    Args:
        path: The file; it is written completely or not at all.
        claim: The statement that the benchmark tests.
        protocol: How the data are split and the results evaluated.
        seeds: Number of seeds.
        rows: One mapping for each set, seed and method.
        mean: The measures of diabolo with its defaults.
        peers: The same measures for each peer.
    """
    result = {
        "claim": claim,
        "protocol": protocol,
        "seeds": list(range(seeds)),
        "machine": machine(),
        "rows": list(rows),
        "mean": mean,
        "peers": peers,
    }
    write_atomically(path, json.dumps(result, indent=1, allow_nan=False) + "\n")


def write_atomically(path: Path, text: str) -> None:
    """Write to a temporary file, then rename it: a reader sees the old file or the new one, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
