"""Options from a file or a mapping, in diabolo's names and in those of other notes."""

from __future__ import annotations

import json
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest
import yaml

from diabolo import Autoencoder
from diabolo.errors import ArgumentError, DataError, MissingExtraError, OptionError
from diabolo.estimator import config
from diabolo.estimator.config import SYNONYMS, Config, find_data_file, read_config
from tests import made

KNOWN = Autoencoder().get_params(deep=False).keys()
WANTED = {"epochs": 3, "layers": [64, 32], "alarm_rate": 0.05, "ignore": ["id"]}

cont_features, cat_features = ["number", "double"], ["city", "flag"]
embed_cats = [4, 3]
output_path = "data"
# As such notes write them.
HPARAMS = OrderedDict(
    run="embsz16_latsz16_bsz128_lay64-128-256-128-64_ep100_cosineWR",
    version=1,
    project_name="VAE_Anomaly",
    cont_vars=cont_features,
    cat_vars=cat_features,
    embedding_sizes=[(embed_cats[i], 16) for i in range(len(embed_cats))],
    latent_dim=16,
    layer_sizes="64,128,256,128,64",
    batch_norm=True,
    stdev=0.1,
    kld_beta=0.05,
    lr=0.001,  # Learning Rate
    weight_decay=1e-5,  # Weight Decay
    batch_size=128,  # Batch Size
    epochs=60,  # Epoch
    data_folder_path=output_path,
)
MEANT = {
    "recipe": "classic",
    "run": "embsz16_latsz16_bsz128_lay64-128-256-128-64_ep100_cosineWR",
    "version": 1,
    "project": "VAE_Anomaly",
    "numeric": ["number", "double"],
    "categorical": ["city", "flag"],
    "context": [],
    "scored": ["number", "double", "city", "flag"],
    "embedding": {"city": 16, "flag": 16},
    "latent": 16,
    "layers": "64,128,256,128,64",
    "batch_norm": True,
    "stdev": 0.1,
    "beta": 0.05,
    "lr": 0.001,
    "weight_decay": 1e-5,
    "batch_size": 128,
    "epochs": 60,
}
YAML = """\
run: embsz16_latsz16_bsz128_lay64-128-256-128-64_ep100_cosineWR
version: 1
project_name: VAE_Anomaly
cont_vars: [number, double]
cat_vars:
  - city
  - flag
embedding_sizes:
  - [4, 16]
  - (3, 16)
latent_dim: 16
layer_sizes: 64,128,256,128,64
batch_norm: True
stdev: 0.1
kld_beta: 0.05
lr: 0.001
weight_decay: 1e-5
batch_size: 128
epochs: 60
data folder: data
"""


def listed(value: Any) -> Any:
    return (
        [list(pair) for pair in value] if isinstance(value, list) and value and value[0] == (4, 16) else value
    )


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
    assert read_config(tmp_path / name, KNOWN) == Config(WANTED)


def test_a_mapping_of_the_notes() -> None:
    found = read_config(HPARAMS, KNOWN)
    assert found == Config(MEANT, Path("data"))
    assert HPARAMS["embedding_sizes"] == [(4, 16), (3, 16)]  # what was given is as it was


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("c.yaml", YAML),
        ("d.yml", yaml.safe_dump({k: listed(v) for k, v in HPARAMS.items()})),
        ("c.json", json.dumps(HPARAMS)),
        (
            "c.toml",
            "".join(
                f"{k} = {str(v).lower() if v is True else json.dumps(listed(v))}\n"
                for k, v in HPARAMS.items()
            ),
        ),
    ],
)
def test_a_file_of_the_notes(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    assert read_config(tmp_path / name, KNOWN) == Config(MEANT, tmp_path / "data")


@pytest.mark.filterwarnings("ignore::diabolo.DiaboloWarning")  # one epoch teaches it nothing, and it says so
def test_a_model_of_the_notes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    model = Autoencoder.from_config(OrderedDict(HPARAMS, epochs=1))
    given = {k: v for k, v in model.get_params(deep=False).items() if v != getattr(Autoencoder(), k)}
    assert given == {**MEANT, "epochs": 1}
    table = made.mixed(240, holes=0.0).drop_columns(["id", "unit", "remark"])
    model.fit(table)
    assert model.schema_.scored == ["number", "double", "city", "flag"]
    (network,) = model.engine_.networks.values()
    assert network.member.layers == (64, 128, 256, 128, 64) and network.member.batch_norm
    assert network.bottleneck.options() == {"latent": 16, "beta": 0.05, "stdev": 0.1}
    sizes = {e.name: e.column.embedding for e in model.schema_.entries if e.name in cat_features}
    assert sizes == {"city": 16, "flag": 16}
    assert model.engine_.facts["run"] == f"VAE_Anomaly/{HPARAMS['run']}/1"


def test_what_stands_there_goes_before_what_follows() -> None:
    found = read_config({"cont_vars": ["a"], "kld_beta": 2.0, "recipe": "beta", "scored": ["b"]}, KNOWN)
    expected = {"numeric": ["a"], "beta": 2.0, "recipe": "beta", "scored": ["b"], "context": []}
    assert found.options == expected


@pytest.mark.parametrize(("theirs", "ours"), SYNONYMS.items())
def test_a_name_of_the_notes_means_their_model(theirs: str, ours: str) -> None:
    value: Any = [] if theirs.endswith(("vars", "sizes")) else "x"
    assert read_config({theirs: value}, KNOWN).options["recipe"] == "classic"
    assert "recipe" not in read_config({ours: value}, KNOWN).options


@pytest.mark.parametrize("name", ["data", "data_folder", "data folder", "data-folder", "data_folder_path"])
def test_where_the_data_is(tmp_path: Path, name: str) -> None:
    (tmp_path / "c.json").write_text(json.dumps({name: "there"}))
    assert read_config(tmp_path / "c.json", KNOWN).data == tmp_path / "there"
    assert read_config({name: str(tmp_path)}, KNOWN).data == tmp_path


@pytest.mark.parametrize(
    ("files", "found"),
    [
        (["a.csv"], "a.csv"),
        (["a.csv", "README.md", "notes.txt", ".b.csv", "c.yaml"], "a.csv"),
        (["train.csv", "test.csv"], "train.csv"),
        (["train.csv.gz", "test.csv.gz", "x.parquet"], "train.csv.gz"),
        (["train.txt", "test.txt"], "train.txt"),
        (["a.csv", "b.csv"], None),
        (["train.csv", "train.parquet"], None),
        (["README.md"], None),
        ([], None),
    ],
)
def test_the_data_in_a_folder(tmp_path: Path, files: list[str], found: str | None) -> None:
    for name in files:
        (tmp_path / name).write_text("")
    (tmp_path / "sub.csv").mkdir()
    if found is not None:
        assert find_data_file(tmp_path) == tmp_path / found
        assert find_data_file(tmp_path / found) == tmp_path / found
        return
    with pytest.raises(DataError, match="expected one, or one called train") as caught:
        find_data_file(tmp_path)
    assert "data_folder_path: " in str(caught.value.hint)


@pytest.mark.parametrize(
    "sizes",
    [[[4, 16]], [[4, 16]] * 3, [16, 16], 16, [[4, 16, 1]] * 2, [["a", "b"]] * 2, ["(4, 16", "x"], None],
)
def test_embedding_sizes_that_fit_no_columns(sizes: Any) -> None:
    with pytest.raises(OptionError, match="embedding_sizes") as caught:
        read_config({"cat_vars": ["a", "b"], "embedding_sizes": sizes}, KNOWN)
    assert "[[12, 16], [7, 16]]" in str(caught.value.hint)


def test_one_option_under_two_names() -> None:
    with pytest.raises(OptionError, match="'latent' and 'latent_dim' are the same option") as caught:
        read_config({"latent": 4, "latent_dim": 8}, KNOWN)
    assert caught.value.hint == "leave out latent_dim"


def test_misspelt_names(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    for wrong, right in (("epoch", "epochs"), ("latent_dims", "latent_dim"), ("kld-betta", "kld_beta")):
        path.write_text(f"{wrong} = 3\n")
        with pytest.raises(OptionError, match=f"'{wrong}' is not an option") as caught:
            read_config(path, KNOWN)
        assert caught.value.hint == f"did you mean {right}?"
    with pytest.raises(OptionError, match="the options: 'zzzz'") as caught:
        Autoencoder.from_config({"zzzz": 3})
    assert caught.value.hint == f"one of {', '.join(sorted(KNOWN))}"


def test_numbers_that_yaml_takes_for_text(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("lr: 1e-3\nweight_decay: 1.0e-5\nnoise: 2E-1\nrun: 1e3x\n")
    wanted = {"lr": 0.001, "weight_decay": 1e-5, "noise": 0.2, "run": "1e3x"}
    assert read_config(tmp_path / "c.yaml", KNOWN).options == wanted


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
    with pytest.raises(OptionError, match="not a valid"):
        read_config(tmp_path / "c.yaml", KNOWN)
    (tmp_path / "c.yaml").write_text("cat_vars: [a]\nembedding_sizes: __import__('os').getcwd()\n")
    with pytest.raises(OptionError, match="embedding_sizes"):
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


@pytest.mark.parametrize(
    ("name", "text", "twice"),
    [
        ("c.yaml", "lr: 0.1\nepochs: 2\nlr: 0.2\n", "lr"),
        ("c.yaml", "embedding: {city: 2, town: 3, city: 4}\n", "city"),
        ("c.yml", "layers: [{a: 1, a: 2}]\n", "a"),
        ("c.json", '{"lr": 0.1, "epochs": 2, "lr": 0.2}', "lr"),
        ("c.json", '{"embedding": {"city": 2, "city": 4}}', "city"),
        ("c.toml", "lr = 0.1\nlr = 0.2\n", None),
    ],
)
def test_a_name_stands_once(tmp_path: Path, name: str, text: str, twice: str | None) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(OptionError, match=f"'{twice}' is given twice" if twice else "not a valid"):
        read_config(tmp_path / name, KNOWN)


def test_yaml_may_point_at_itself(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("layers: &same [8, *same]\nembedding: &one {a: 1}\nbeta: *one\n")
    assert read_config(tmp_path / "c.yaml", KNOWN).options["beta"] == {"a": 1}


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("kld_beta", r"'kld_beta'\nHint: Autoencoder\.from_config\(hparams\) .* kld_beta is beta"),
        ("data_folder_path", r"Autoencoder\.from_config"),
        ("epoch", "did you mean epochs"),
        ("qqqqq", "one of activation, alarm_rate"),
    ],
)
def test_unknown_arguments(name: str, says: str) -> None:
    with pytest.raises(ArgumentError, match=says):
        Autoencoder(**{name: 1})
    with pytest.raises(TypeError, match="has no argument"):  # what Python says of a function
        Autoencoder("vanilla", lr=0.1, **{name: 1})


def test_subclasses_have_arguments_of_their_own() -> None:
    class Mine(Autoencoder):
        def __init__(self, extra: int = 0, **options: Any) -> None:
            super().__init__(**options)
            self.extra = extra

    assert (Mine(extra=2, latent=3).extra, Mine(latent=3).latent) == (2, 3)
