"""Arguments that commands share, and the options of tasks and of the model as command-line flags.

What a command line shows as help for an argument stands beside its type here; what only one command takes is
described in the docstring of that command, from which the help is generated too.
"""

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

ColumnNames = Annotated[tuple[str, ...] | None, Parameter(consume_multiple=True, negative=())]
Data = Annotated[str, Parameter(allow_leading_hyphen=True)]
ModelPath = Annotated[
    Path, Parameter(name=["--model", "-m"], help="The model file that `diabolo fit` wrote.")
]
ImageModelPath = Annotated[
    Path | None,
    Parameter(
        name=["--model", "-m"],
        help="The model file that `diabolo fit` wrote. Images are denoised without one too: by a model that "
        "is fitted to them, and forgotten.",
    ),
]
NewModel = Annotated[
    Path | None,
    Parameter(
        name=["--output", "-o"],
        help="The model file to write. Without it, --config c.toml writes the model to c.diabolo.",
    ),
]
Follow = Annotated[bool | None, Parameter(negative="--hold")]
Output = Annotated[
    Path | None,
    Parameter(
        name=["--output", "-o"],
        help="The file to write the answer to: .csv, .tsv, .parquet, .arrow or .ndjson. Without it, a "
        "terminal shows a few rows and a pipe receives csv.",
    ),
]
OutputOrFolder = Annotated[
    Path | None,
    Parameter(
        name=["--output", "-o"],
        help="The file to write the answer to: .csv, .tsv, .parquet, .arrow or .ndjson; or, for images, a "
        "folder, where each gets the name of the image it was made from.",
    ),
]
Changes = Annotated[
    Path | None,
    Parameter(
        help="A second file to write: every changed cell with its old and new value, and every suspicious "
        "cell that was left as it is, without a new value. The formats are those of --output."
    ),
]
Page = Annotated[Path, Parameter(name=["--output", "-o"], help="The HTML file to write.")]
Json = Annotated[
    bool,
    Parameter(negative=(), help="Write the answer to standard output as ndjson (one JSON object per row)."),
]
Quiet = Annotated[
    bool,
    Parameter(name=["--quiet", "-q"], negative=(), help="Print no messages; the answer is still written."),
]


@Parameter(name="*")
@dataclass
class RepairOptions:
    """The options of `diabolo repair`; see `Autoencoder.repair`."""

    correct: Annotated[
        bool,
        Parameter(
            name="--correct",
            help="Correct the cells of a table whose right value is known; --no-correct only fills missing "
            "values.",
        ),
    ] = True
    threshold: Annotated[
        float | None,
        Parameter(
            help="How probable a correction must be, for example 0.95; by default 0.8. Of a series: replace "
            "points that are wrong with at least this probability; by default none are replaced."
        ),
    ] = None
    alike: Annotated[
        bool,
        Parameter(
            negative=(),
            help="Also write values alike that are right, but in another format than most of their column.",
        ),
    ] = False
    accepted: Annotated[
        Path | None,
        Parameter(
            help="Make exactly the corrections of this file, and no others: a line for each cell, with the "
            "columns row, column, new and perhaps old, as a report or --changes writes it."
        ),
    ] = None
    value: Annotated[
        Literal["mean", "median", "mode", "draw"],
        Parameter(
            help="The value to fill in, taken from the distribution predicted for the cell; draw takes a "
            "random value, and keeps the spread of the data."
        ),
    ] = "mean"
    seed: Annotated[
        int | None, Parameter(help="The seed of random values: the same seed fills in the same values.")
    ] = None


@Parameter(name="*")
@dataclass
class GenerationOptions:
    """The options of `diabolo generate`; see `Autoencoder.generate`."""

    seed: Annotated[int | None, Parameter(help="The random seed: the same seed generates the same rows.")] = (
        None
    )
    given: Annotated[
        dict[str, str] | None,
        Parameter(
            help="Values that all new rows have: --given.sex Male, --given.city 'Oslo|Rome' (one of these), "
            "--given.age 30..40 (a range)."
        ),
    ] = None
    like: Annotated[
        str | None, Parameter(help="A file of rows; each new row keeps some columns of one of them.")
    ] = None
    keep: Annotated[
        ColumnNames, Parameter(help="The columns that new rows keep from the rows of --like.")
    ] = None
    where: Annotated[
        ColumnNames,
        Parameter(help="Conditions that every new row fulfils: --where 'start <= end' 'age >= 18'."),
    ] = None
    observed: Annotated[
        ColumnNames,
        Parameter(
            help="Columns, joined by commas, whose values occur together in remembered rows of the fit: "
            "--observed city,country."
        ),
    ] = None
    series: Annotated[
        int | None,
        Parameter(
            help="The number of new series, of N points each. Without it, the series of the fit is continued "
            "by N points."
        ),
    ] = None
    prior: Annotated[
        Literal["mixture", "normal"],
        Parameter(
            help="The distribution that latent codes are drawn from, for a model with a bottleneck: one "
            "fitted to the codes of the data, or a standard normal one."
        ),
    ] = "mixture"


@Parameter(name="*")
@dataclass
class Options:
    """The options of the model; each is described in full in the documentation of `Autoencoder`."""

    recipe: Annotated[
        str | None,
        Parameter(
            help="The kind of autoencoder: default, vanilla, variational, beta, quantized, denoising, masked "
            "or classic."
        ),
    ] = None
    time: Annotated[str | None, Parameter(help="The time column. Naming one makes the data a series.")] = None
    by: Annotated[str | None, Parameter(help="The column that names the series that a row belongs to.")] = (
        None
    )
    window: Annotated[
        str | None,
        Parameter(help="The number of points in a window of a series, or auto. It makes the data a series."),
    ] = None
    scored: Annotated[
        ColumnNames,
        Parameter(
            help="The columns to score. All others become context, or are ignored if --context is given."
        ),
    ] = None
    context: Annotated[ColumnNames, Parameter(help="Columns that are read but not scored.")] = None
    ignore: Annotated[ColumnNames, Parameter(help="Columns that are not used at all.")] = None
    min_count: Annotated[
        int | None, Parameter(help="Merge labels that occur in fewer rows than this before the fit.")
    ] = None
    clip: Annotated[
        float | None,
        Parameter(
            help="The share of the values at each end of a number or date column to clip before the fit, for "
            "example 0.01."
        ),
    ] = None
    numeric: Annotated[
        ColumnNames, Parameter(help="Columns to read as numbers, whatever their values look like.")
    ] = None
    categorical: Annotated[
        ColumnNames, Parameter(help="Columns to read as labels, whatever their values look like.")
    ] = None
    rules: Annotated[
        tuple[str, ...] | None,
        Parameter(
            name=["--rule", "--rules"],
            negative=(),
            help="A dependency between columns that holds in every row: 'provider -> address', "
            "'net + tax = gross' or 'start <= end'. Give it once for each rule.",
        ),
    ] = None
    labels: Annotated[
        str | None,
        Parameter(
            help="The column that says who or what an image shows; of a folder with sub-folders, label is "
            "the name of the sub-folder."
        ),
    ] = None
    latent: Annotated[int | None, Parameter(help="The number of latent dimensions of the bottleneck.")] = None
    beta: Annotated[
        float | None, Parameter(help="The weight of the KL divergence of a variational bottleneck.")
    ] = None
    stdev: Annotated[
        float | None,
        Parameter(help="The standard deviation of the noise in variational codes during training."),
    ] = None
    objective: Annotated[
        str | None, Parameter(help="What training minimises: likelihood, huber, l2 or bce.")
    ] = None
    noise: Annotated[
        float | None,
        Parameter(help="The training noise, in standard deviations of each number column."),
    ] = None
    layers: Annotated[
        str | None, Parameter(help="The widths of the encoder's layers: 128,64. The decoder mirrors them.")
    ] = None
    embedding: Annotated[int | None, Parameter(help="The embedding dimension of labels.")] = None
    activation: Annotated[
        str | None, Parameter(help="The activation function: silu, relu, gelu, elu, tanh or leaky_relu.")
    ] = None
    batch_norm: Annotated[bool | None, Parameter(help="Use batch normalisation in each layer.")] = None
    optimizer: Annotated[str | None, Parameter(help="The optimiser: adamw, adam or sgd.")] = None
    schedule: Annotated[
        str | None,
        Parameter(help="The learning-rate schedule: onecycle, cosine, cosine_restarts or constant."),
    ] = None
    lr: Annotated[float | None, Parameter(help="The highest learning rate.")] = None
    weight_decay: Annotated[float | None, Parameter(help="The weight decay of the optimiser.")] = None
    eps: Annotated[
        float | None, Parameter(help="The constant that adamw and adam add to their denominator.")
    ] = None
    batch_size: Annotated[int | None, Parameter(help="The number of rows in a training step.")] = None
    epochs: Annotated[float | None, Parameter(help="The number of passes over the rows.")] = None
    patience: Annotated[
        int | None,
        Parameter(
            help="Stop training after this many validations without improvement (a training has 20); "
            "0 never stops early."
        ),
    ] = None
    budget: Annotated[str | None, Parameter(help="The time that training may take: 30s, 2min.")] = None
    alarm_rate: Annotated[
        float | None, Parameter(help="The share of normal rows that may be alarms, for example 0.01.")
    ] = None
    follow: Annotated[
        bool | None,
        Parameter(
            negative="--hold",
            help="Let the alarm level of a series follow the share of alarms, or hold it where the fit puts "
            "it. By default it follows for one channel and holds for several.",
        ),
    ] = None
    seed: Annotated[int | None, Parameter(help="The random seed: the same seed gives the same model.")] = None
    device: Annotated[str | None, Parameter(help="The device to compute on: auto, cpu, cuda or mps.")] = None
    threads: Annotated[int | None, Parameter(help="The number of CPU threads of torch.")] = None
    run: Annotated[
        str | None, Parameter(help="Record the fit as a run of this name, in the folder runs.")
    ] = None
    version: Annotated[
        int | None,
        Parameter(name="--run-version", help="The version of the run. Without it, the next free number."),
    ] = None
    project: Annotated[str | None, Parameter(help="The project that the run belongs to.")] = None
    track: Annotated[
        str | None,
        Parameter(help="Where the run is recorded: FOLDER, tensorboard:FOLDER or mlflow:ADDRESS."),
    ] = None
    config: Annotated[
        Path | None,
        Parameter(help="A toml, yaml or json file with these options; flags take precedence over it."),
    ] = None

    def resolve(self) -> Config:
        """Return the options of the file, with those of the command line taking precedence.

        Raises:
            OptionError: the file cannot be read or holds an unknown option.
        """
        flags = asdict(self)
        path = flags.pop("config")
        config = Config({}) if path is None else read_config(path, flags.keys())
        options = {**config.options, **{k: v for k, v in flags.items() if v is not None}}
        if str(options.get("window", "")).isdigit():
            options["window"] = int(options["window"])
        return Config(options, config.data)


def swap_model_and_data(words: Sequence[str], model: Path) -> str | None:
    """Return the command line with its model and its data swapped, if it names a .diabolo file as data.

    Args:
        words: the arguments as they were typed, without the program's name.
        model: the path that was given as the model.

    Returns:
        The corrected command line, or None if no .diabolo file was given as data.

    Example:
        >>> swap_model_and_data(["score", "people.diabolo", "-m", "people.csv"], Path("people.csv"))
        'diabolo score people.csv -m people.diabolo'
    """
    table = next((w for w in words if Path(w) == model), None)
    model_file = next((w for w in words if w.endswith(".diabolo")), None)
    if table is None or model_file is None or table.endswith(".diabolo"):
        return None
    swapped = {table: model_file, model_file: table}
    return shlex.join(["diabolo", *(swapped.get(w, w) for w in words)])


def add_model_flag(words: Sequence[str]) -> str | None:
    """Return the command line with its .diabolo file as the model, if it names no model.

    Example:
        >>> add_model_flag(["score", "people.csv", "people.diabolo"])
        'diabolo score people.csv -m people.diabolo'
    """
    model_file = next((w for w in words if w.endswith(".diabolo")), None)
    if model_file is None or any(w.partition("=")[0] in ("-m", "--model") for w in words):
        return None
    return shlex.join(["diabolo", *(w for w in words if w != model_file), "-m", model_file])
