"""The arguments of commands."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from diabolo.errors import need
from diabolo.estimator.config import Config, read_config

if TYPE_CHECKING:
    from cyclopts import Parameter
else:
    Parameter = need("cyclopts", "cli").Parameter

Names = Annotated[tuple[str, ...] | None, Parameter(consume_multiple=True, negative=())]
Data = Annotated[str, Parameter(allow_leading_hyphen=True)]
ModelPath = Annotated[Path, Parameter(name=["--model", "-m"], help="A model that `diabolo fit` wrote.")]
NewModel = Annotated[
    Path | None,
    Parameter(name=["--output", "-o"], help="Where to write the model; for c.toml, if not given, c.diabolo."),
]
Output = Annotated[
    Path | None,
    Parameter(name=["--output", "-o"], help="Where to write: .csv, .tsv, .parquet, .arrow or .ndjson."),
]
Page = Annotated[Path, Parameter(name=["--output", "-o"], help="Where to write the page.")]
Json = Annotated[bool, Parameter(negative=(), help="Write ndjson to standard output.")]
Quiet = Annotated[
    bool, Parameter(name=["--quiet", "-q"], negative=(), help="Say nothing that is not asked for.")
]


@Parameter(name="*")
@dataclass
class Filling:
    """How cells are filled; described in the documentation of `Autoencoder.repair`."""

    threshold: Annotated[
        float | None, Parameter(help="Replace cells that are wrong with this probability too.")
    ] = None
    value: Annotated[
        Literal["mean", "median", "mode", "draw"],
        Parameter(help="What to put in, of what is expected there; a draw is as scattered as the data."),
    ] = "mean"
    seed: Annotated[int | None, Parameter(help="Of draws: the same seed gives the same values.")] = None


@Parameter(name="*")
@dataclass
class Wanted:
    """What new rows are to be like; described in the documentation of `Autoencoder.generate`."""

    seed: Annotated[int | None, Parameter(help="The same seed gives the same rows.")] = None
    given: Annotated[
        dict[str, str] | None,
        Parameter(help="What all have: --given.sex Male, --given.city 'Oslo|Rome', --given.age 30..40."),
    ] = None
    like: Annotated[str | None, Parameter(help="Rows, of which new ones keep some columns.")] = None
    keep: Annotated[Names, Parameter(help="Columns that are kept of --like.")] = None
    where: Annotated[Names, Parameter(help="Rules to obey: --where 'start <= end' 'age >= 18'.")] = None
    observed: Annotated[
        Names, Parameter(help="Columns whose combination must have occurred: --observed city,country.")
    ] = None
    series: Annotated[
        int | None, Parameter(help="So many new series of N points each, instead of one that goes on.")
    ] = None
    prior: Annotated[
        Literal["mixture", "normal"], Parameter(help="Where codes come from, of a model with a bottleneck.")
    ] = "mixture"


@Parameter(name="*")
@dataclass
class Options:
    """Options of the model; each is described in the documentation of `Autoencoder`."""

    recipe: Annotated[
        str | None,
        Parameter(help="default, vanilla, variational, beta, quantized, denoising, masked or classic."),
    ] = None
    time: Annotated[str | None, Parameter(help="The time column; makes the data a series.")] = None
    by: Annotated[str | None, Parameter(help="The column that says which series a row belongs to.")] = None
    window: Annotated[str | None, Parameter(help="Points in a window of a series, or auto.")] = None
    scored: Annotated[
        Names, Parameter(help="Columns to score; others become context, or are not used with --context.")
    ] = None
    context: Annotated[Names, Parameter(help="Columns to read but never score.")] = None
    ignore: Annotated[Names, Parameter(help="Columns not to use.")] = None
    min_count: Annotated[int | None, Parameter(help="Merge labels that fewer rows have before the fit.")] = (
        None
    )
    clip: Annotated[
        float | None, Parameter(help="Share of the values at each end to clip before the fit.")
    ] = None
    numeric: Annotated[Names, Parameter(help="Columns that are numbers, whatever they look like.")] = None
    categorical: Annotated[Names, Parameter(help="Columns that are labels, whatever they look like.")] = None
    latent: Annotated[int | None, Parameter(help="Numbers in the bottleneck.")] = None
    beta: Annotated[float | None, Parameter(help="Weight of a variational bottleneck's divergence.")] = None
    stdev: Annotated[float | None, Parameter(help="Deviation of the noise of a variational code.")] = None
    objective: Annotated[str | None, Parameter(help="likelihood, huber, l2 or bce.")] = None
    noise: Annotated[float | None, Parameter(help="Deviation of the training noise.")] = None
    layers: Annotated[str | None, Parameter(help="Widths of the encoder's layers: 128,64.")] = None
    embedding: Annotated[int | None, Parameter(help="Numbers in the embedding of a label.")] = None
    activation: Annotated[str | None, Parameter(help="silu, relu, gelu, elu, tanh or leaky_relu.")] = None
    batch_norm: Annotated[bool | None, Parameter(help="Normalise each layer over the batch.")] = None
    optimizer: Annotated[str | None, Parameter(help="adamw, adam or sgd.")] = None
    schedule: Annotated[str | None, Parameter(help="onecycle, cosine, cosine_restarts or constant.")] = None
    lr: Annotated[float | None, Parameter(help="Highest learning rate.")] = None
    weight_decay: Annotated[float | None, Parameter(help="Of the optimiser.")] = None
    eps: Annotated[float | None, Parameter(help="Of the optimiser.")] = None
    batch_size: Annotated[int | None, Parameter(help="Rows in a training step.")] = None
    epochs: Annotated[float | None, Parameter(help="Passes over the rows.")] = None
    patience: Annotated[
        int | None, Parameter(help="Looks without an improvement before stopping; 0: never.")
    ] = None
    budget: Annotated[str | None, Parameter(help="Time for training: 30s, 2min.")] = None
    alarm_rate: Annotated[float | None, Parameter(help="Share of normal rows that may be alarms.")] = None
    seed: Annotated[int | None, Parameter(help="Of every draw.")] = None
    device: Annotated[str | None, Parameter(help="auto, cpu, cuda or mps.")] = None
    threads: Annotated[int | None, Parameter(help="Of torch.")] = None
    run: Annotated[str | None, Parameter(help="A name to write the run down under, in the folder runs.")] = (
        None
    )
    version: Annotated[
        int | None, Parameter(name="--run-version", help="Of the run; if not given, the next free one.")
    ] = None
    project: Annotated[str | None, Parameter(help="That the run belongs to.")] = None
    track: Annotated[
        str | None,
        Parameter(help="Where runs are written down: FOLDER, tensorboard:FOLDER or mlflow:ADDRESS."),
    ] = None
    config: Annotated[Path | None, Parameter(help="A toml, yaml or json file with these options.")] = None

    def resolve(self) -> Config:
        """The options of the file, overruled by those of the command line."""
        typed = asdict(self)
        file = typed.pop("config")
        found = Config({}) if file is None else read_config(file, typed.keys())
        options = {**found.options, **{k: v for k, v in typed.items() if v is not None}}
        if str(options.get("window", "")).isdigit():
            options["window"] = int(options["window"])
        return Config(options, found.data)


def exchanged(words: Sequence[str], model: Path) -> str | None:
    """The command line with its model and its data exchanged, if it names a .diabolo file as data.

    Example:
        >>> exchanged(["score", "people.diabolo", "-m", "people.csv"], Path("people.csv"))
        'diabolo score people.csv -m people.diabolo'
    """
    table = next((w for w in words if Path(w) == model), None)
    other = next((w for w in words if w.endswith(".diabolo")), None)
    if table is None or other is None or table.endswith(".diabolo"):
        return None
    turned = {table: other, other: table}
    return shlex.join(["diabolo", *(turned.get(w, w) for w in words)])


def with_model(words: Sequence[str]) -> str | None:
    """The command line with its .diabolo file as the model, if it names no model.

    Example:
        >>> with_model(["score", "people.csv", "people.diabolo"])
        'diabolo score people.csv -m people.diabolo'
    """
    other = next((w for w in words if w.endswith(".diabolo")), None)
    if other is None or any(w.partition("=")[0] in ("-m", "--model") for w in words):
        return None
    return shlex.join(["diabolo", *(w for w in words if w != other), "-m", other])
