"""What every benchmark script shares: its command line, its data sets, its clock, its table and its JSON."""

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

NOTHING = 3
"""The exit code where the folder holds nothing that the script reads: no failure, there is nothing to do."""

OURS = "diabolo"
"""The name of our own default in tables, rows and files."""

LIBRARIES = ("diabolo", "numpy", "torch", "scikit-learn", "pyod")
"""Libraries whose versions are written beside the figures, where installed."""


@dataclass(frozen=True)
class Options:
    """The command line that all benchmark scripts understand.

    Attributes:
        data: Folder of data sets.
        json: File to write the results to.
        scores: Folder to keep the raw answers in, or None to drop them.
        seeds: Number of seeds; the seeds are 0, 1, ... seeds - 1.
        peers: Names of the peers to run beside our own default.
        sets: Names of the only sets to run; empty means all of them.
        protocol: The way of splitting and judging, where a script has several.
        pictures: Folder to draw into, where a script draws and it is asked for.
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
    draws: bool = False,
) -> Options:
    """Reads the command line; a mistake in it ends the program with exit code 2 and the correction.

    Args:
        arguments: The words after the program's name; None reads them from the command line.
        description: What the script shows, for `--help`.
        known_peers: The peers that `--peers` may name.
        default_peers: The peers that run when `--peers` is not given.
        default_seeds: The number of seeds when `--seeds` is not given.
        needs_data: Whether there must be a folder; a script that makes its data takes one and ignores it.
        protocols: What `--protocol` may name, the default first; without any there is no such option.
        draws: Whether there is `--pictures`.
    """
    known, default = tuple(known_peers), ",".join(default_peers)
    parser = argparse.ArgumentParser(description=description)
    wanted = "folder of data sets" if needs_data else "not used"
    parser.add_argument("--data", type=Path, required=needs_data, default=Path(), metavar="DIR", help=wanted)
    parser.add_argument("--json", type=Path, required=True, metavar="OUT", help="file for the results")
    parser.add_argument("--scores", type=Path, metavar="DIR", help="folder that keeps the raw answers")
    parser.add_argument("--seeds", type=int, default=default_seeds, metavar="N", help="default %(default)s")
    parser.add_argument(
        "--peers",
        type=_words,
        default=_words(default),
        metavar="a,b",
        help=f"of {', '.join(known) or 'none'}; default {default or 'none'}; '' runs none",
    )
    only = "only these sets or tables (file stems)"
    parser.add_argument("--sets", "--tables", type=_words, default=(), metavar="a,b", help=only)
    if protocols:
        parser.add_argument("--protocol", choices=protocols, default=protocols[0], help="default %(default)s")
    if draws:
        parser.add_argument("--pictures", type=Path, metavar="DIR", help="folder to draw into, NAME.svg")
    options = Options(**vars(parser.parse_args(arguments)))
    unknown = [peer for peer in options.peers if peer not in known]
    if unknown:
        parser.error(f"unknown peers {', '.join(unknown)}; known are {', '.join(known) or 'none'}")
    if options.seeds < 1:
        parser.error(f"--seeds must be at least 1, got {options.seeds}")
    if not options.data.is_dir():
        parser.error(f"--data must be a folder, got {options.data}")
    return options


def _words(text: str) -> tuple[str, ...]:
    """Splits "a,b" into its words; repeated words count once."""
    return tuple(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))


def find_sets(folder: Path, suffixes: str | tuple[str, ...], only: Sequence[str] = ()) -> dict[str, Path]:
    """Returns the data sets of a folder by name, sorted; other files are ignored.

    Args:
        folder: Where to look; subfolders are not entered.
        suffixes: The file suffixes, ".npz" say; the same with ".gz" behind are accepted too.
        only: Names to keep; empty keeps all.

    Raises:
        SystemExit: If nothing is found (code 3), or a name of `only` is not there (code 1).
    """
    found = {}
    for path in sorted(folder.iterdir()):
        name = path.name.removesuffix(".gz")
        if path.is_file() and name.endswith(suffixes) and not name.startswith("."):
            found[name.rpartition(".")[0]] = path
    if not found:
        wanted = suffixes if isinstance(suffixes, str) else " or ".join(suffixes)
        skip(f"no {wanted} file in {folder}, compressed (.gz) or not")
    missing = [name for name in only if name not in found]
    if missing:
        raise SystemExit(f"no set named {', '.join(missing)} in {folder}")
    return {name: path for name, path in found.items() if not only or name in only}


def skip(why: str) -> NoReturn:
    """Ends the program because there is nothing for it to do, and says why."""
    print(why, file=sys.stderr)
    raise SystemExit(NOTHING)


def read_npz(path: Path) -> dict[str, NDArray[Any]]:
    """Reads all arrays of a .npz or .npz.gz file; pickled objects in it are refused."""
    content = path.read_bytes()
    if path.suffix == ".gz":
        content = gzip.decompress(content)
    with np.load(io.BytesIO(content), allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def timed(
    function: Callable[Parameters, Returned], *args: Parameters.args, **kwargs: Parameters.kwargs
) -> tuple[Returned, float]:
    """Calls the function; returns its answer and the CPU seconds of the whole process meanwhile."""
    start = time.process_time()
    answer = function(*args, **kwargs)
    return answer, time.process_time() - start


def machine() -> dict[str, Any]:
    """Describes the machine and the libraries, without anything that names its owner."""
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        **{library: _version(library) for library in LIBRARIES},
    }


def _processor() -> str:
    """The processor's name; Linux keeps it in a file that `platform` does not read."""
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
    """Writes `SET.SEED.npz` with `scores` (higher = more anomalous) and `labels`, for anyone to evaluate."""
    folder.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(folder / f"{name}.{seed}.npz", scores=scores, labels=labels)


def mean(values: Iterable[float | None]) -> float | None:
    """The mean of those values that are there; None if there are none."""
    there = [value for value in values if value is not None]
    return math.fsum(there) / len(there) if there else None


def print_table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Prints a table: the first column to the left, the others, mostly figures, to the right."""
    lines = [list(header), *([_cell(value) for value in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for number, line in enumerate(lines):
        first, *others = (
            cell.rjust(width) if place else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        print("  ".join([first, *others]).rstrip())
        if number == 0:
            print("  ".join("-" * width for width in widths))


def _cell(value: object) -> str:
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
    """Writes the results of a benchmark as JSON.

    Args:
        path: The file; it is either whole or not there.
        claim: The sentence that the benchmark checks.
        protocol: How the data are split and the answers measured.
        seeds: Number of seeds.
        rows: One mapping for each set, seed and method.
        mean: The figures of our default.
        peers: The same figures for each peer.
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
    """Writes beside the file, then renames: a reader sees the old file or the new one, never half of it."""
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
