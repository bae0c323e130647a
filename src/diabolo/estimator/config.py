"""Options from a file or a mapping, with the names of `Autoencoder`'s arguments or those of other notes."""

from __future__ import annotations

import ast
import difflib
import json
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from diabolo.errors import ArgumentError, DataError, OptionError, need

# What notes on variational autoencoders call the arguments: `VAE(**hparams)`.
SYNONYMS = {
    "cont_vars": "numeric",
    "cat_vars": "categorical",
    "embedding_sizes": "embedding",
    "latent_dim": "latent",
    "layer_sizes": "layers",
    "kld_beta": "beta",
    "project_name": "project",
    "data_folder_path": "data",
}


@dataclass(frozen=True)
class Config:
    """What was read.

    Attributes:
        options: arguments of `Autoencoder`.
        data: the file or folder that the rows are in, if it is named.
    """

    options: dict[str, Any]
    data: Path | None = None


def read_config(given: str | Path | Mapping[str, Any], known: Set[str]) -> Config:
    """Read options from a file, or take them from a mapping.

    Whoever uses a name of `SYNONYMS` means the model of those notes too: the recipe is "classic" where none
    is given, and the columns that are named are those that are scored.

    Args:
        given: a .toml, .yaml, .yml or .json file, or what one would hold.
        known: the names of arguments.

    Raises:
        OptionError: it cannot be read, or holds a name that is not known or a value that cannot work.
    """
    if isinstance(given, Mapping):
        found, where, folder = given, "the options", Path()
    else:
        path = Path(given)
        found, where, folder = _read(path), str(path), path.parent
    options: dict[str, Any] = {}
    names: dict[str, str] = {}  # argument -> what stands there for it
    for written, value in found.items():
        name = "_".join(str(written).replace("-", " ").split())
        ours = SYNONYMS.get(name, "data" if name == "data_folder" else name)
        if ours not in known | {"data"}:
            raise OptionError(f"{where}: {written!r} is not an option", hint=_nearest(name, known, SYNONYMS))
        if ours in names:
            raise OptionError(
                f"{where}: {names[ours]!r} and {name!r} are the same option", hint=f"leave out {written}"
            )
        options[ours], names[ours] = value, name
    theirs = set(names.values()) & set(SYNONYMS)
    if names.get("embedding") == "embedding_sizes":
        options["embedding"] = _sizes(options["embedding"], options.get("categorical"), where)
    if theirs & {"cont_vars", "cat_vars"}:
        options.setdefault("context", [])  # nothing beside them is read, as in the notes
        for name in ("numeric", "categorical"):
            if isinstance(options.get(name), str):
                options[name] = [options[name]]
        options.setdefault("scored", [*options.get("numeric", ()), *options.get("categorical", ())])
    if theirs:
        options.setdefault("recipe", "classic")
    data = options.pop("data", None)
    return Config(options, None if data is None else folder / str(data))


def unknown_argument(name: str, known: Set[str]) -> ArgumentError:
    """The error that `Autoencoder` has no such argument; names of `SYNONYMS` are those of `from_config`."""
    if name in SYNONYMS:
        ours = SYNONYMS[name] if SYNONYMS[name] in known else "for the command line"
        hint = f"Autoencoder.from_config(hparams) takes such names; here, {name} is {ours}"
    else:
        hint = _nearest(name, known)
    return ArgumentError(f"Autoencoder has no argument {name!r}", hint=hint)


def _nearest(name: str, known: Set[str], more: Iterable[str] = ()) -> str:
    near = difflib.get_close_matches(name, sorted({*known, *more}), n=1)
    return f"did you mean {near[0]}?" if near else f"one of {', '.join(sorted(known))}"


def find_data(place: Path) -> Path:
    """The file with the rows: the place itself, or the only data file in that folder, or its train.*.

    Raises:
        DataError: there is no such file, or more than one.
    """
    from diabolo.data.files import FORMATS, file_format

    if not place.is_dir():
        return place  # who reads it says what is wrong with it
    found = [p for p in sorted(place.iterdir()) if p.is_file() and not p.name.startswith(".")]
    found = [p for p in found if file_format(p)[0] in FORMATS]
    # A text among others may be a note.
    data = [p for p in found if p.name.partition(".")[0] == "train"] or [
        p for p in found if file_format(p)[0] != ".txt"
    ]
    if len(data) != 1:
        got = f"{len(data)} data files ({', '.join(p.name for p in data[:5])})" if data else "no data file"
        raise DataError(
            f"{place} holds {got}: expected one, or one called train",
            hint=f"data_folder_path: {data[0] if data else place / 'train.csv'}",
        )
    return data[0]


def _sizes(sizes: Any, columns: Sequence[str] | None, where: str) -> dict[str, int]:
    """[(levels, size), ...] -> the size of each column; the levels are counted in the data."""
    hint = "embedding_sizes: [[12, 16], [7, 16]] for two cat_vars: a pair of levels and size for each"
    try:
        # Python's tuples are text in a file.
        pairs = [_literal(pair) for pair in _literal(sizes)]
        widths = [int(size) for _, size in pairs]
    except (TypeError, ValueError, SyntaxError) as error:
        raise OptionError(f"{where}: embedding_sizes={sizes!r}: expected pairs", hint=hint) from error
    if len(widths) != len(columns or ()):
        raise OptionError(
            f"{where}: embedding_sizes has {len(widths)} pairs, cat_vars {len(columns or ())} names",
            hint=hint,
        )
    return dict(zip(columns or (), widths, strict=True))


def _literal(value: Any) -> Any:
    return ast.literal_eval(value) if isinstance(value, str) else value


def _read(path: Path) -> dict[Any, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        said = getattr(error, "strerror", None) or str(error)
        raise OptionError(f"{path} cannot be read: {said}", hint="a .yaml, .toml or .json file") from error
    try:
        if path.suffix == ".toml":
            found: Any = tomllib.loads(text)
        elif path.suffix in (".yaml", ".yml"):
            yaml = need("yaml", "cli")
            _check_yaml(yaml.compose(text, yaml.SafeLoader))
            found = yaml.safe_load(text)
        else:
            found = json.loads(text, object_pairs_hook=_once)
    except Exception as error:
        if isinstance(error, ImportError):
            raise
        raise OptionError(f"{path} is no valid {path.suffix or 'json'} file: {error}") from error
    if not isinstance(found, dict):
        raise OptionError(f"{path}: expected names and values, got {type(found).__name__}")
    return {name: _number(value) for name, value in found.items()}


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Names and values, each name once: parsers would keep the last value of a name without a word."""
    made: dict[str, Any] = {}
    for name, value in pairs:
        if name in made:
            raise ValueError(f"{name!r} stands in it twice; keep one of them")
        made[name] = value
    return made


def _check_yaml(node: Any) -> None:
    """The same for the nodes of a YAML text."""
    nodes, seen = [node], set[int]()
    while nodes:
        node = nodes.pop()
        # A node may hold itself: YAML's anchors.
        if id(node) in seen or not isinstance(getattr(node, "value", None), list):
            continue
        seen.add(id(node))
        if node.id == "mapping":
            _once([(name.value, None) for name, _ in node.value if isinstance(name.value, str)])
            nodes += [value for _, value in node.value]
        else:
            nodes += node.value


def _number(value: Any) -> Any:
    """1e-5 is a number to everyone but YAML 1.1, which wants 1.0e-5."""
    exponent = isinstance(value, str) and re.fullmatch(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+", value)
    return float(value) if exponent else value
