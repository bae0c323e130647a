"""Options from a file: TOML, YAML or JSON, with the names of `Autoencoder`'s arguments."""

from __future__ import annotations

import difflib
import json
import tomllib
from pathlib import Path
from typing import Any

from diabolo.errors import OptionError, need

# Names that other notes on autoencoders use for the same thing.
SYNONYMS = {
    "cont_vars": "numeric",
    "cat_vars": "categorical",
    "latent_dim": "latent",
    "layer_sizes": "layers",
    "kld_beta": "beta",
}


def read_config(path: str | Path, known: set[str]) -> dict[str, Any]:
    """Read options from a file.

    Args:
        path: a .toml, .yaml, .yml or .json file.
        known: the names that it may hold.

    Raises:
        OptionError: the file cannot be read, or holds a name that is not known.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise OptionError(f"{path} cannot be read: {error}") from error
    try:
        if path.suffix == ".toml":
            found: Any = tomllib.loads(text)
        elif path.suffix in (".yaml", ".yml"):
            found = need("yaml", "cli").safe_load(text)
        else:
            found = json.loads(text)
    except Exception as error:
        if isinstance(error, ImportError):
            raise
        raise OptionError(f"{path} is no valid {path.suffix or 'json'} file: {error}") from error
    if not isinstance(found, dict):
        raise OptionError(f"{path}: expected names and values, got {type(found).__name__}")
    options = {SYNONYMS.get(str(k).replace("-", "_"), str(k).replace("-", "_")): v for k, v in found.items()}
    for name in options:
        if name not in known:
            near = difflib.get_close_matches(name, sorted(known), n=1)
            hint = f"did you mean {near[0]}?" if near else f"one of {', '.join(sorted(known))}"
            raise OptionError(f"{path}: {name!r} is not an option", hint=hint)
    return options
