"""Options from a file or a mapping, under the names of `Autoencoder`'s arguments or synonyms of them."""

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

# Names that course notes on variational autoencoders use for the arguments: `VAE(**hparams)`.
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
    """Options that were read from a file or a mapping.

    Attributes:
        options: arguments of `Autoencoder`.
        data: the file or folder with the rows; None if the options name none.
    """

    options: dict[str, Any]
    data: Path | None = None


def read_config(given: str | Path | Mapping[str, Any], known: Set[str]) -> Config:
    """Read options from a file or a mapping.

    A name of `SYNONYMS` selects the model of the course notes too: the recipe is "classic" if none is given,
    and if columns are named with `cont_vars` or `cat_vars`, these are scored and all others are ignored.

    Args:
        given: a .toml, .yaml, .yml or .json file, or a mapping with its content.
        known: the names of the arguments.

    Raises:
        OptionError: the file cannot be read, or it holds an unknown name or an impossible value.
    """
    if isinstance(given, Mapping):
        found, where, folder = given, "the options", Path()
    else:
        path = Path(given)
        found, where, folder = _read_file(path), str(path), path.parent
    options: dict[str, Any] = {}
    names: dict[str, str] = {}  # argument -> the name that was used for it
    for written, value in found.items():
        name = "_".join(str(written).replace("-", " ").split())
        argument = SYNONYMS.get(name, "data" if name == "data_folder" else name)
        if argument not in known | {"data"}:
            raise OptionError(
                f"{where}: {written!r} is not an option", hint=_suggest_name(name, known, SYNONYMS)
            )
        if argument in names:
            raise OptionError(
                f"{where}: {names[argument]!r} and {name!r} are the same option", hint=f"leave out {written}"
            )
        options[argument], names[argument] = value, name
    synonyms = set(names.values()) & set(SYNONYMS)
    if names.get("embedding") == "embedding_sizes":
        options["embedding"] = _embedding_sizes(options["embedding"], options.get("categorical"), where)
    if synonyms & {"cont_vars", "cat_vars"}:
        options.setdefault("context", [])  # no other column is read, as in the notes
        for name in ("numeric", "categorical"):
            if isinstance(options.get(name), str):
                options[name] = [options[name]]
        options.setdefault("scored", [*options.get("numeric", ()), *options.get("categorical", ())])
    if synonyms:
        options.setdefault("recipe", "classic")
    data = options.pop("data", None)
    return Config(options, None if data is None else folder / str(data))


def unknown_argument(name: str, known: Set[str]) -> ArgumentError:
    """Return the error that `Autoencoder` has no such argument.

    Args:
        name: the argument that was given; for a name of `SYNONYMS` the hint mentions `from_config`.
        known: the names of the arguments.
    """
    if name in SYNONYMS:
        argument = SYNONYMS[name] if SYNONYMS[name] in known else "for the command line"
        hint = f"Autoencoder.from_config(hparams) takes such names; here, {name} is {argument}"
    else:
        hint = _suggest_name(name, known)
    return ArgumentError(f"Autoencoder has no argument {name!r}", hint=hint)


def _suggest_name(name: str, known: Set[str], more: Iterable[str] = ()) -> str:
    near = difflib.get_close_matches(name, sorted({*known, *more}), n=1)
    return f"did you mean {near[0]}?" if near else f"one of {', '.join(sorted(known))}"


def find_data_file(path: Path) -> Path:
    """Return the file with the rows: the path itself, or of a folder its train.* or its only data file.

    Raises:
        DataError: the folder has no such file, or more than one.
    """
    from diabolo.data.files import FORMATS, file_format

    if not path.is_dir():
        return path  # whoever reads it reports what is wrong with it
    found = [p for p in sorted(path.iterdir()) if p.is_file() and not p.name.startswith(".")]
    found = [p for p in found if file_format(p)[0] in FORMATS]
    # A .txt file among other data files may be a note.
    data = [p for p in found if p.name.partition(".")[0] == "train"] or [
        p for p in found if file_format(p)[0] != ".txt"
    ]
    if len(data) != 1:
        found_files = (
            f"{len(data)} data files ({', '.join(p.name for p in data[:5])})" if data else "no data file"
        )
        raise DataError(
            f"{path} holds {found_files}: expected one, or one called train",
            hint=f"data_folder_path: {data[0] if data else path / 'train.csv'}",
        )
    return data[0]


def _embedding_sizes(sizes: Any, columns: Sequence[str] | None, where: str) -> dict[str, int]:
    """Return column -> embedding size from [(levels, size), ...]; the levels are counted in the data."""
    hint = "embedding_sizes: [[12, 16], [7, 16]] for two cat_vars: a pair of levels and size for each"
    try:
        # In a file, tuples of Python are text.
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


def _read_file(path: Path) -> dict[Any, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise OptionError(f"{path} cannot be read: {reason}", hint="a .yaml, .toml or .json file") from error
    try:
        if path.suffix == ".toml":
            found: Any = tomllib.loads(text)
        elif path.suffix in (".yaml", ".yml"):
            yaml = need("yaml", "cli")
            _reject_duplicates_of_yaml(yaml.compose(text, yaml.SafeLoader))
            found = yaml.safe_load(text)
        else:
            found = json.loads(text, object_pairs_hook=_reject_duplicates)
    except Exception as error:
        if isinstance(error, ImportError):
            raise
        raise OptionError(f"{path} is not a valid {path.suffix or 'json'} file: {error}") from error
    if not isinstance(found, dict):
        raise OptionError(f"{path}: expected names and values, got {type(found).__name__}")
    return {name: _parse_exponent(value) for name, value in found.items()}


def _reject_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return pairs as a mapping; raise ValueError for a repeated name, where parsers keep the last value."""
    mapping: dict[str, Any] = {}
    for name, value in pairs:
        if name in mapping:
            raise ValueError(f"{name!r} is given twice; keep one of them")
        mapping[name] = value
    return mapping


def _reject_duplicates_of_yaml(node: Any) -> None:
    """Raise ValueError if a mapping anywhere in a YAML document repeats a name."""
    nodes, seen = [node], set[int]()
    while nodes:
        node = nodes.pop()
        # With anchors, a YAML node can contain itself.
        if id(node) in seen or not isinstance(getattr(node, "value", None), list):
            continue
        seen.add(id(node))
        if node.id == "mapping":
            _reject_duplicates([(name.value, None) for name, _ in node.value if isinstance(name.value, str)])
            nodes += [value for _, value in node.value]
        else:
            nodes += node.value


def _parse_exponent(value: Any) -> Any:
    """Return a number for text like 1e-5, which YAML 1.1 reads as a number only if written 1.0e-5."""
    exponent = isinstance(value, str) and re.fullmatch(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+", value)
    return float(value) if exponent else value
