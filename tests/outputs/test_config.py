"""Options from a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from diabolo.errors import MissingExtraError, OptionError
from diabolo.outputs import config
from diabolo.outputs.config import SYNONYMS, read_config

KNOWN = {"epochs", "layers", "latent", "alarm_rate", "ignore", "numeric", "categorical", "beta"}
WANTED = {"epochs": 3, "layers": [64, 32], "alarm_rate": 0.05, "ignore": ["id"]}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("c.toml", 'epochs = 3\nlayers = [64, 32]\nalarm-rate = 0.05\nignore = ["id"]\n'),
        ("c.yaml", "epochs: 3\nlayers: [64, 32]\nalarm_rate: 0.05\nignore:\n  - id\n"),
        ("c.yml", "epochs: 3\nlayers: [64, 32]\nalarm-rate: 0.05\nignore: [id]\n"),
        ("c.json", json.dumps(WANTED)),
    ],
)
def test_formats(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    assert read_config(tmp_path / name, KNOWN) == WANTED


@pytest.mark.parametrize(("theirs", "ours"), SYNONYMS.items())
def test_names_that_others_use(tmp_path: Path, theirs: str, ours: str) -> None:
    (tmp_path / "c.json").write_text(json.dumps({theirs: 1}))
    assert read_config(tmp_path / "c.json", KNOWN) == {ours: 1}


def test_misspelt_names(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text("epoch = 3\n")
    with pytest.raises(OptionError, match="'epoch' is not an option") as caught:
        read_config(path, KNOWN)
    assert caught.value.hint == "did you mean epochs?"
    path.write_text("zzzz = 3\n")
    with pytest.raises(OptionError) as caught:
        read_config(path, KNOWN)
    assert caught.value.hint == f"one of {', '.join(sorted(KNOWN))}"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("c.toml", b"epochs 3"),
        ("c.json", b"{"),
        ("c.yaml", b"a: [1"),
        ("c.txt", b"epochs = 3"),
        ("c.json", b"[1, 2]"),
        ("c.yaml", b""),
        ("c.toml", b"\xff\xfe\x00"),
    ],
)
def test_broken_files_are_named(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(OptionError, match=name.replace(".", r"\.")):
        read_config(tmp_path / name, KNOWN)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"none\.toml cannot be read"):
        read_config(tmp_path / "none.toml", KNOWN)
    with pytest.raises(OptionError, match="cannot be read"):
        read_config(tmp_path, KNOWN)


def test_yaml_holds_no_code(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("epochs: !!python/object/apply:os.getcwd []\n")
    with pytest.raises(OptionError, match="no valid"):
        read_config(tmp_path / "c.yaml", KNOWN)


def test_a_missing_reader_is_not_taken_for_a_broken_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(module: str, extra: str) -> Any:
        raise MissingExtraError(module, hint=f'pip install "diabolo[{extra}]"')

    monkeypatch.setattr(config, "need", missing)
    (tmp_path / "c.yaml").write_text("epochs: 3\n")
    with pytest.raises(MissingExtraError):
        read_config(tmp_path / "c.yaml", KNOWN)
