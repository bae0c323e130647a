"""The one estimator."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from diabolo import tasks
from diabolo.data.columns import Column
from diabolo.data.reading import read_fit_data
from diabolo.data.schema import Schema
from diabolo.data.sources import read_user_table
from diabolo.errors import DiaboloWarning, ModelFileError, OptionError
from diabolo.estimator.sklearn_api import Estimator
from diabolo.networks.network import Member
from diabolo.networks.objectives import Objective
from diabolo.networks.recipes import make_members
from diabolo.persistence import storage
from diabolo.streaming.stream import Stream
from diabolo.tracking import NAMING, record_run
from diabolo.training.fitting import fit_engine
from diabolo.training.options import check_width, choose_device, training_options
from diabolo.utils.progress import Progress
from diabolo.version import __version__

if TYPE_CHECKING:
    from diabolo.estimator.pyod import Detector
    from diabolo.report.series_plot import Svg


class Autoencoder(Estimator):
    """Learns what a table or a series looks like, and answers questions about it.

    Data may be a pandas, polars or pyarrow frame, a numpy array, a mapping of columns, or the path of a
    csv, tsv, parquet, arrow or ndjson file. Numbers, labels, flags, dates and holes are read as they are.

    Args:
        recipe: the kind of autoencoder: "default" (a denoising and a masked network with remembered
            rows), "vanilla", "variational", "beta", "quantized", "denoising", "masked" or "classic"
            (variational, with entity embeddings that are rebuilt).
        latent: numbers in the bottleneck's code.
        beta: weight of the divergence of a variational bottleneck.
        stdev: deviation of the noise that a variational code is drawn with in training.
        objective: "likelihood" (a distribution for every cell), or an error of the rebuilt vector of
            embeddings and numbers: "huber", "l2" or "bce"; or an `Objective`.
        noise: deviation of the training noise, in standard deviations of each column.
        layers: widths of the encoder's layers, for example (128, 64); the decoder mirrors them.
        embedding: numbers in the embedding of a label; one for all columns, or name -> numbers.
        activation: "silu", "relu", "gelu", "elu", "tanh" or "leaky_relu".
        batch_norm: normalise each layer over the batch.
        optimizer: "adamw", "adam" or "sgd".
        schedule: "onecycle", "cosine", "cosine_restarts" or "constant".
        lr: highest learning rate.
        weight_decay, eps: of the optimiser.
        batch_size: rows in a training step.
        epochs: passes over the rows.
        patience: looks at held-out rows (of 20) without an improvement before stopping; 0 for never.
        budget: seconds that training may take, as a number or as text ("90", "30s", "2min").
        members: your own networks instead of a recipe's: name -> `Member`.
        columns: your own kinds of columns: name -> an instance of a `Column`.
        numeric, categorical: names of columns that are numbers, or labels, whatever they look like.
        scored: names of the columns that are scored; all others become context, or are not used if `context`
            is given too.
        context: names of columns that are read but never scored.
        ignore: names of columns that are not used.
        min_count: labels that fewer rows have are merged before the fit, so that the model never holds them.
        clip: share of the values at each end of a number or a date that are brought to the value at that
            share before the fit, likewise.
        time: name of the time column; makes the data a series.
        by: name of the column that says which series a row belongs to.
        window: points in a window of a series; "auto" for a length that suits it.
        alarm_rate: share of normal rows that may be alarms; None for the lowest usual one.
        seed: of every draw: the same seed gives the same model.
        device: "auto", "cpu", "cuda" or "mps".
        threads: of torch; None for its own choice.
        checkpoint: a file to go on from if the fit is cut off; the same fit, called again, ends as if it
            had not been. It is removed when the fit has ended.
        checkpoint_every: seconds between two savings of the checkpoint.
        verbose: show a bar while fitting.
        run: a name to write the run down under, while it goes on; the recipe's, if there is a `track` only.
        version: of the run, from 1; None for the next that is free.
        project: that the run belongs to; None for "diabolo".
        track: where: a folder, "tensorboard:FOLDER" or "mlflow:ADDRESS"; None for the folder "runs" if there
            is a run, version or project, else nowhere.

    Attributes:
        schema_: what each column is.
        history_: the losses, one line for each look at the held-out rows.
        alarm_rate_, threshold_: the rate of false alarms, and the bits above which a row is an alarm.
        error_rate_: the share of wrong cells in data like that of the fit, as it was estimated.
        notes_: what happened in the fit that is worth knowing.

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
    generate = tasks.generate
    compare = tasks.compare
    traverse = tasks.traverse
    interpolate = tasks.interpolate
    drift = tasks.drift

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
        alarm_rate: float | None = None,
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
        self.alarm_rate = alarm_rate
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
        """A model with the options of a toml, yaml or json file, or of a mapping, as `VAE(**hparams)` takes.

        Names are those of the arguments, or those that notes on variational autoencoders use; then the recipe
        is "classic" if none is given.

        Example:
            >>> Autoencoder.from_config({"cont_vars": ["age"], "cat_vars": ["city"], "kld_beta": 0.05})
            Autoencoder(beta=0.05, categorical=['city'], context=[], numeric=['age'],
                        recipe='classic', scored=['age', 'city'])
        """
        from diabolo.estimator.config import read_config

        return cls(**read_config(given, cls().get_params(deep=False).keys()).options)

    def fit(self, X: Any, y: Any = None, *, progress: Progress | None = None) -> Self:
        """Learn what the rows look like.

        Args:
            X: the data.
            y: not used; scikit-learn passes it.
            progress: called with (what is done, share that is done, seconds left) now and then.

        Raises:
            DataError: the data cannot be read, or nothing in it can be scored.
            OptionError: an option cannot work.
        """
        user_table = read_user_table(X)
        options = self.get_params(deep=False)
        data = read_fit_data(options, user_table)
        members = self.members or make_members(self.recipe, options, data.schema.fields)
        check_width(data.schema, members)
        training, device = training_options(options), choose_device(self.device)
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
            )
            run.finish(engine.facts, engine.notes)
        engine.notes += [f"{data.coarsened}: they are not in the model"] if data.coarsened else []
        engine.notes += run.notes
        for note in engine.notes:
            warnings.warn(note, DiaboloWarning, stacklevel=2)
        return self._adopt(engine, user_table)

    def inspect(self, X: Any) -> Schema:
        """What `fit` would read the columns as, without fitting.

        Example:
            >>> print(Autoencoder().inspect({"age": [31, 45, 28], "city": ["Oslo", "Bergen", "Oslo"]}))
            column  kind      role    missing  why            learnt
            age     number    scored  0.0%     int64 values   28 to 45, mean 34.67
            city    category  scored  0.0%     string values  2 levels: Oslo, Bergen
        """
        return read_fit_data(self.get_params(deep=False), read_user_table(X)).schema

    def report(
        self,
        X: Any,
        path: str | Path = "report.html",
        *,
        synthetic: Any = None,
        unseen: Any = None,
        command: str | None = None,
    ) -> Path:
        """Write a report on rows with the columns of the fit: one HTML file that needs no network.

        Args:
            X: the rows.
            path: where to.
            synthetic: new rows, to be held against `X`, the rows of the fit; then that is what the page is
                about: columns, pairs, what a judge looks at, what is given away.
            unseen: real rows that are not among those of the fit, to judge the new ones by.
            command: the command line to show for doing it again.
        """
        from diabolo.report.comparison import write_comparison
        from diabolo.report.report import write_report

        if synthetic is not None:
            return write_comparison(self, X, path, synthetic=synthetic, unseen=unseen, command=command)
        if unseen is not None:
            raise OptionError("unseen: real rows to hold new ones against", hint="synthetic=rows")
        return write_report(self, X, path, command=command)

    def plot_series(
        self,
        X: Any,
        path: str | Path | None = None,
        *,
        column: str | Sequence[str] | None = None,
        series: str | Sequence[str] | None = None,
        start: Any = None,
        stop: Any = None,
    ) -> Svg:
        """A picture of a series: what was measured, what was expected (and the range of nine values in ten).

        Expected is what the other points speak for; in holes and gaps too. Alarms that belong together are
        shaded, with a line at their oddest point; below, the bits of every point, and the alarm level.

        Args:
            X: rows with the columns of the fit.
            path: an .svg file to write.
            column: the channels to draw; the first eight if not given.
            series: which of several series (`by`); the six oddest if not given.
            start: the first time to draw, as the data has times; a row's number if it has none.
            stop: the last one.

        Raises:
            UnsupportedError: the model is not one of a series.
            OptionError: a channel, series or time is not in the data.
        """
        from diabolo.report.series_plot import draw_series

        return draw_series(self, X, path, column=column, series=series, start=start, stop=stop)

    def stream(self, *, alarm_rate: float | None = None) -> Stream:
        """Answers for a series that arrives point by point.

        `stream.push({"time": ..., "value": ...})` says how odd the point is, as the last of a batch of all
        points so far; late points are put in their places, repeated ones are known. It keeps two windows.

        Args:
            alarm_rate: the share of normal points that may be alarms; the model's own if not given.

        Example:
            >>> import numpy as np
            >>> wave = np.sin(np.arange(600) / 5)
            >>> stream = Autoencoder(window=32).fit({"value": wave}).stream()
            >>> points = [stream.push({"value": v}) for v in [*wave[:200], 5.0]]
            >>> points[-1].status, points[-1].alarm, points[-2].alarm
            ('new', True, False)
        """
        return Stream(self, alarm_rate)

    def to_pyod(self, X: Any = None) -> Detector:
        """The model in PyOD's vocabulary, with the scores of `X`, the rows of its fit, if they are given."""
        from diabolo.estimator.pyod import Detector

        return Detector(self) if X is None else Detector(self).refer(X)

    def save(self, path: str | Path) -> Path:
        """Write the model to one file; `diabolo.load` reads it, on any machine, without the data."""
        engine, left = self.engine_, ("members", "columns", "checkpoint", "objective", *NAMING)
        options = {k: v for k, v in self.get_params(deep=False).items() if k not in left}
        memory = {"library": self._library, "columns": list(getattr(self, "feature_names_in_", []))}
        return storage.write(path, engine, {"arguments": options, **memory}, __version__)

    @classmethod
    def load(cls, path: str | Path, *, device: str = "auto", threads: int | None = 1) -> Self:
        """Read a model from a file: see `diabolo.load`."""
        stored = storage.read(path, device=choose_device(device), threads=threads)
        try:
            model = cls(**{**stored.options["arguments"], "device": device, "threads": threads})
            model._engine, model._library = stored.engine, str(stored.options["library"])
            names = [str(name) for name in stored.options["columns"]]
        except (KeyError, TypeError) as error:
            raise ModelFileError(f"{path} does not fit together: {error}") from error
        model.n_features_in_ = len(stored.engine.schema.entries)
        if names:
            model.feature_names_in_ = np.asarray(names, dtype=object)
        return model

    @classmethod
    def _unknown(cls, name: str) -> Exception:
        from diabolo.estimator.config import unknown_argument

        return unknown_argument(name, set(cls._get_param_names()))

    def _bar(self) -> Progress | None:
        if not self.verbose:
            return None
        from diabolo.utils.progress import progress_bar

        return progress_bar()


def load(path: str | Path, *, device: str = "auto", threads: int | None = 1) -> Autoencoder:
    """Read a model that `Autoencoder.save` wrote; `device` and `threads` are as an `Autoencoder` takes them.

    Raises:
        ModelFileError: it is no model, is damaged, or was written by a newer version.
    """
    return Autoencoder.load(path, device=device, threads=threads)
