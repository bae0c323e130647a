"""The estimator of this library."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from diabolo import tasks
from diabolo.data.columns import Column
from diabolo.data.reading import read_fit_data
from diabolo.data.schema import Schema
from diabolo.data.sources import read_user_table
from diabolo.errors import DiaboloWarning, ModelFileError
from diabolo.estimator.config import read_config, unknown_argument
from diabolo.estimator.outputs import FittedOutputs
from diabolo.networks.member import Member
from diabolo.networks.objectives import Objective
from diabolo.networks.recipes import make_members
from diabolo.persistence import storage
from diabolo.tracking import TRACKING_OPTIONS, record_run
from diabolo.training.fitting import fit_engine
from diabolo.training.image_models import add_image_models, check_labels
from diabolo.training.options import check_width, choose_device, table_rules, training_options
from diabolo.utils.progress import Progress, progress_bar
from diabolo.version import __version__


class Autoencoder(FittedOutputs):
    """An autoencoder for tables, series and images that predicts a distribution for every cell.

    Data may be a pandas, polars or pyarrow frame, a numpy array, a mapping of columns, the path of a csv,
    tsv, parquet, arrow, ndjson, npy or npz file, or that of a folder of images. Numbers, labels, booleans,
    dates, images (arrays, paths or bytes) and missing values are read as they are.

    Args:
        recipe: the kind of autoencoder: "default" (a denoising and a masked network, and remembered rows),
            "vanilla", "variational", "beta", "quantized", "denoising", "masked" or "classic" (variational,
            with entity embeddings that are reconstructed).
        latent: number of latent dimensions of the bottleneck.
        beta: weight of the KL divergence of a variational bottleneck.
        stdev: standard deviation of the noise in variational codes during training.
        objective: "likelihood" (of a distribution for every cell); "huber", "l2" or "bce" (an error of the
            reconstructed vector of embeddings and numbers); or an `Objective`.
        noise: training noise, in standard deviations of each number column.
        layers: widths of the encoder's layers, for example (128, 64); the decoder mirrors them.
        embedding: embedding dimension of labels: one for all columns, or a mapping of column to dimension.
        activation: "silu", "relu", "gelu", "elu", "tanh" or "leaky_relu".
        batch_norm: whether to use batch normalisation in each layer.
        optimizer: "adamw", "adam" or "sgd".
        schedule: learning-rate schedule: "onecycle", "cosine", "cosine_restarts" or "constant".
        lr: highest learning rate.
        weight_decay: weight decay of the optimiser.
        eps: constant that AdamW and Adam add to their denominator.
        batch_size: rows in a training step.
        epochs: passes over the rows; None for the recipe's own number, adapted to the number of rows.
        patience: validations without improvement before training stops (it has 20); 0 never stops early.
        budget: seconds that training may take, as a number or as text ("90", "30s", "2min").
        members: your own networks in place of a recipe's: name -> `Member`.
        columns: your own kinds of columns: column -> an instance of a `Column`.
        numeric: columns to read as numbers, whatever their values look like.
        categorical: columns to read as labels, whatever their values look like.
        scored: columns to score; all others become context, or are ignored if `context` is given too.
        context: columns that are read but not scored.
        ignore: columns that are not used.
        min_count: labels in fewer rows than this are merged before the fit, so that the model never
            contains them.
        clip: share of the values at each end of a number or date column that are clipped before the fit, for
            the same reason; below 0.5.
        time: time column; makes the data a series.
        by: column that names the series that a row belongs to; makes the data a series.
        window: points in a window of a series, or "auto"; makes the data a series.
        rules: dependencies between columns of a table that hold in every row: "provider -> address" (a value
            of the one always comes with the same value of the other), "net + tax = gross", "start <= end".
            Cells that violate one are suspicious. Such rules are also found; `rules_` lists them all.
        labels: column that says who or what an image shows: `match`, `verify`, `identify` and `group` then
            compare images by it. Of a folder with sub-folders, "label" is the name of the sub-folder. Images
            without a label count as well.
        alarm_rate: share of normal rows that may be alarms; None for the lowest usual one that the number of
            rows supports.
        follow: whether the alarm level of a series follows the share of alarms, so that the rate is kept if
            the series moves, or holds where the fit puts it; None to follow for one channel and to hold for
            several. The scores are the same.
        seed: random seed: the same seed gives the same model.
        device: "auto", "cpu", "cuda" or "mps".
        threads: CPU threads of torch; None for torch's own choice.
        checkpoint: file to save the state of the fit in. If the fit is interrupted, the same call resumes
            from it, with the same result. It is removed at the end of the fit.
        checkpoint_every: seconds between two checkpoints.
        verbose: whether to show a progress bar while fitting.
        run: name to record the fit under; the recipe's name if only a project, version or `track` is given.
        version: version of the run, from 1; None for the next free number.
        project: project that the run belongs to; None for "diabolo".
        track: where to record: a folder, "tensorboard:FOLDER" or "mlflow:ADDRESS"; None for the folder
            "runs" if a run, version or project is given, else nowhere.

    Attributes:
        schema_: kind and role of each column.
        history_: the losses, one row per validation.
        alarm_rate_: expected share of normal rows that are alarms.
        threshold_: anomaly score in bits above which a row is an alarm.
        error_rate_: estimated share of wrong cells in data like that of the fit.
        rules_: the dependencies between columns, those of `rules` and those that were found, and in how many
            rows of the fit each holds.
        notes_: the messages of the fit, which were issued as warnings too.

    Example:
        >>> import numpy as np
        >>> rng = np.random.default_rng(0)
        >>> x = rng.normal(size=(400, 1))
        >>> table = np.hstack([x, 2 * x + 0.1 * rng.normal(size=(400, 1))])
        >>> model = Autoencoder(epochs=5).fit(table)
        >>> bool(model.anomaly_score([[1.0, -2.0]])[0] > model.anomaly_score([[1.0, 2.0]])[0])
        True
    """

    explain = tasks.explain
    repair = tasks.repair
    embed = tasks.embed
    reconstruct = tasks.reconstruct
    denoise = tasks.denoise
    match = tasks.match
    verify = tasks.verify
    identify = tasks.identify
    group = tasks.group
    generate = tasks.generate
    compare = tasks.compare
    traverse = tasks.traverse
    interpolate = tasks.interpolate
    drift = tasks.drift
    violations = tasks.violations

    def __init__(
        self,
        recipe: str = "default",
        *,
        latent: int | None = None,
        beta: float | None = None,
        stdev: float | None = None,
        objective: str | Objective | None = None,
        noise: float | None = None,
        layers: Sequence[int] | str | None = None,
        embedding: int | Mapping[str, int] | None = None,
        activation: str | None = None,
        batch_norm: bool | None = None,
        optimizer: str | None = None,
        schedule: str | None = None,
        lr: float | None = None,
        weight_decay: float | None = None,
        eps: float | None = None,
        batch_size: int | None = None,
        epochs: float | None = None,
        patience: int | None = None,
        budget: float | str | None = None,
        members: Mapping[str, Member] | None = None,
        columns: Mapping[str, Column] | None = None,
        numeric: Sequence[str] | None = None,
        categorical: Sequence[str] | None = None,
        scored: Sequence[str] | None = None,
        context: Sequence[str] | None = None,
        ignore: Sequence[str] | None = None,
        min_count: int = 1,
        clip: float = 0.0,
        time: str | None = None,
        by: str | None = None,
        window: int | str | None = None,
        rules: Sequence[str] | str | None = None,
        labels: str | None = None,
        alarm_rate: float | None = None,
        follow: bool | None = None,
        seed: int = 0,
        device: str = "auto",
        threads: int | None = 1,
        checkpoint: str | Path | None = None,
        checkpoint_every: float = 30,
        verbose: bool = False,
        run: str | None = None,
        version: int | None = None,
        project: str | None = None,
        track: str | Path | None = None,
    ) -> None:
        self.recipe = recipe
        self.latent = latent
        self.beta = beta
        self.stdev = stdev
        self.objective = objective
        self.noise = noise
        self.layers = layers
        self.embedding = embedding
        self.activation = activation
        self.batch_norm = batch_norm
        self.optimizer = optimizer
        self.schedule = schedule
        self.lr = lr
        self.weight_decay = weight_decay
        self.eps = eps
        self.batch_size = batch_size
        self.epochs = epochs
        self.patience = patience
        self.budget = budget
        self.members = members
        self.columns = columns
        self.numeric = numeric
        self.categorical = categorical
        self.scored = scored
        self.context = context
        self.ignore = ignore
        self.min_count = min_count
        self.clip = clip
        self.time = time
        self.by = by
        self.window = window
        self.rules = rules
        self.labels = labels
        self.alarm_rate = alarm_rate
        self.follow = follow
        self.seed = seed
        self.device = device
        self.threads = threads
        self.checkpoint = checkpoint
        self.checkpoint_every = checkpoint_every
        self.verbose = verbose
        self.run = run
        self.version = version
        self.project = project
        self.track = track

    @classmethod
    def from_config(cls, given: str | Path | Mapping[str, Any]) -> Self:
        """Return an unfitted model with the options of a file or a mapping.

        Names are those of the arguments, or those that course notes on variational autoencoders use
        (`VAE(**hparams)`); with the latter the recipe is "classic" if none is given.

        Args:
            given: the path of a toml, yaml or json file, or a mapping.

        Raises:
            OptionError: a name is not known, or the file cannot be read.

        Example:
            >>> Autoencoder.from_config({"cont_vars": ["age"], "cat_vars": ["city"], "kld_beta": 0.05})
            Autoencoder(beta=0.05, categorical=['city'], context=[], numeric=['age'],
                        recipe='classic', scored=['age', 'city'])
        """
        return cls(**read_config(given, cls().get_params(deep=False).keys()).options)

    def fit(self, X: Any, y: Any = None, *, progress: Progress | None = None) -> Self:
        """Fit the model to the rows of X.

        Args:
            X: the data.
            y: not used; scikit-learn passes it.
            progress: called from time to time with (name of the step, share that is done, seconds left).

        Returns:
            The model itself.

        Raises:
            DataError: the data cannot be read, or no column can be scored.
            OptionError: an option has an impossible value.
        """
        user_table = read_user_table(X)
        options = self.get_params(deep=False)
        data = read_fit_data(options, user_table)
        members = self.members or make_members(self.recipe, options, data.schema.fields)
        check_width(data.schema, members)
        training, device = training_options(options), choose_device(self.device)
        rules = table_rules(self.rules, data)
        check_labels(self.labels, user_table.columns())
        with record_run(options) as run:
            engine = fit_engine(
                data.frame,
                data.source,
                data.schema,
                members,
                training,
                seed=self.seed,
                device=device,
                thread_count=self.threads,
                progress=progress or self._bar(),
                checkpoint=(str(self.checkpoint), self.checkpoint_every) if self.checkpoint else None,
                log=run.log,
                rules=rules,
            )
            engine = add_image_models(engine, data.frame, options, self.seed, progress or self._bar())
            run.finish(engine.facts, engine.notes)
        coarsened = f"{data.coarsened}: they are not in the model" if data.coarsened else ""
        engine = engine.with_report(coarsened, *run.notes)
        for note in engine.notes:
            warnings.warn(note, DiaboloWarning, stacklevel=2)
        return self._adopt(engine, user_table)

    def inspect(self, X: Any) -> Schema:
        """Return the schema that `fit` would read the columns with, without fitting.

        Raises:
            DataError: the data cannot be read.

        Example:
            >>> print(Autoencoder().inspect({"age": [31, 45, 28], "city": ["Oslo", "Bergen", "Oslo"]}))
            column  kind      role    missing  why            learnt
            age     number    scored  0.0%     int64 values   28 to 45, mean 34.67
            city    category  scored  0.0%     string values  2 levels: Oslo, Bergen
        """
        return read_fit_data(self.get_params(deep=False), read_user_table(X)).schema

    def save(self, path: str | Path) -> Path:
        """Write the fitted model to one file, which `diabolo.load` reads on any machine, without the data."""
        engine, not_stored = (
            self.engine_,
            ("members", "columns", "checkpoint", "objective", *TRACKING_OPTIONS),
        )
        options = {k: v for k, v in self.get_params(deep=False).items() if k not in not_stored}
        other = {"library": self._library, "columns": list(getattr(self, "feature_names_in_", []))}
        return storage.write(path, engine, {"arguments": options, **other}, __version__)

    @classmethod
    def load(cls, path: str | Path, *, device: str = "auto", threads: int | None = 1) -> Self:
        """Read a model from a file; the same as `diabolo.load`.

        Args:
            path: a file that `save` wrote.
            device: "auto", "cpu", "cuda" or "mps".
            threads: CPU threads of torch; None for torch's own choice.

        Raises:
            ModelFileError: the file is no model, is damaged, or was written by a newer version.
        """
        stored = storage.read(path, device=choose_device(device), threads=threads)
        try:
            model = cls(**{**stored.options["arguments"], "device": device, "threads": threads})
            model._engine, model._library = stored.engine, str(stored.options["library"])
            names = [str(name) for name in stored.options["columns"]]
        except (KeyError, TypeError) as error:
            raise ModelFileError(f"{path} is inconsistent: {error}") from error
        model.n_features_in_ = len(stored.engine.schema.entries)
        if names:
            model.feature_names_in_ = np.asarray(names, dtype=object)
        return model

    @classmethod
    def _unknown(cls, name: str) -> Exception:
        return unknown_argument(name, set(cls._get_param_names()))

    def _bar(self) -> Progress | None:
        return progress_bar() if self.verbose else None


def load(path: str | Path, *, device: str = "auto", threads: int | None = 1) -> Autoencoder:
    """Read a model that `Autoencoder.save` wrote.

    Args:
        path: the model file.
        device: "auto", "cpu", "cuda" or "mps".
        threads: CPU threads of torch; None for torch's own choice.

    Raises:
        ModelFileError: the file is no model, is damaged, or was written by a newer version.
    """
    return Autoencoder.load(path, device=device, threads=threads)
