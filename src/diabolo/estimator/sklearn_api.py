"""What scikit-learn, and whoever knows it, expects of a fitted model."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable
from inspect import signature
from typing import Any, Self, cast

import numpy as np
from sklearn.base import BaseEstimator, OutlierMixin, TransformerMixin
from sklearn.exceptions import NotFittedError

from diabolo import tasks
from diabolo.data.columns.image import to_pixels
from diabolo.data.schema import Schema
from diabolo.data.sources import IMAGE_COLUMN, Series, UserTable, read_user_table
from diabolo.engine import Engine
from diabolo.errors import DiaboloWarning, UnsupportedError
from diabolo.training.updating import check_updatable, update


class Estimator(TransformerMixin, OutlierMixin, BaseEstimator, ABC):  # type: ignore[misc]
    """A model under scikit-learn's names: scores, predictions, coordinates, and what was learnt."""

    alarm_rate: float | None
    _engine: Engine
    _library: str

    def __new__(cls, *args: Any, **options: Any) -> Self:
        # Not in __init__: scikit-learn reads the arguments off it, so it cannot take any that are unknown.
        known = signature(cls.__init__).parameters
        unknown = next((name for name in options if name not in known), None)
        if unknown is not None and all(p.kind is not p.VAR_KEYWORD for p in known.values()):
            raise cls._unknown(unknown)
        made: Self = super().__new__(cls)
        return made

    @classmethod
    @abstractmethod
    def _unknown(cls, name: str) -> Exception:
        """What to raise where an argument is given that there is not."""

    @abstractmethod
    def fit(self, X: Any, y: Any = None) -> Any:
        """Learn what the rows look like."""

    @property
    def partial_fit(self) -> Callable[..., Self]:
        """Newer points of a series -> the model, which has learnt from them too; not fitted yet, as `fit`.

        What is remembered of the past counts at most twice as much as the newer points: after each call, a
        third of what the model knows is new. Windows with an alarm are not learnt, unless they are a quarter
        of all: then it is what is normal that has changed. At least ten windows of points are needed, spaced
        as those of the fit.

        Raises:
            UnsupportedError: it is no model of a series whose networks are solved, as by default.

        Example:
            >>> import numpy as np
            >>> from diabolo import Autoencoder
            >>> wave = np.sin(np.arange(2000) / 5)
            >>> later = {"value": wave[1500:] + 3}
            >>> model = Autoencoder(window=32).fit({"value": wave[:1500]})
            >>> bool(model.anomaly_score(later).mean() > 5)
            True
            >>> with warnings.catch_warnings(action="ignore"):  # it says what has changed
            ...     model = model.partial_fit(later)
            >>> bool(model.anomaly_score(later).mean() > 2)
            False
        """
        if hasattr(self, "_engine"):
            check_updatable(self._engine)
        elif not Series.claims(self.get_params(deep=False)):
            raise UnsupportedError("only a model of a series learns bit by bit", hint="model.fit(X)")
        return self._partial_fit

    def _partial_fit(self, X: Any, y: Any = None) -> Self:
        if not hasattr(self, "_engine"):
            return cast(Self, self.fit(X, y))
        frame = self._engine.read(X)
        drift, engine = tasks.drift(self, X), update(self._engine, frame, self.threshold_)
        notes = [drift.verdict] if drift.moved or drift.odder else []
        engine = engine.with_report(*notes, drift=drift.verdict)
        for note in engine.notes:
            if note not in self._engine.notes:
                warnings.warn(note, DiaboloWarning, stacklevel=2)
        engine.calibration.alarm(self.alarm_rate)
        self._engine = engine
        return self

    def _adopt(self, engine: Engine, user_table: UserTable) -> Self:
        """Become the model of an engine that was fitted on this data."""
        engine.calibration.alarm(self.alarm_rate)  # refuses a rate that cannot be kept
        self._engine, self._library = engine, user_table.library
        self.n_features_in_ = user_table.table.num_columns
        if user_table.named:
            self.feature_names_in_ = np.asarray(user_table.table.column_names, dtype=object)
        return self

    @property
    def engine_(self) -> Engine:
        """What was fitted; the tasks ask it."""
        if not hasattr(self, "_engine"):
            raise NotFittedError(
                "This Autoencoder instance is not fitted yet. Call 'fit' with appropriate arguments first."
            )
        engine: Engine = self._engine
        return engine

    @property
    def schema_(self) -> Schema:
        """What each column is."""
        return self.engine_.schema

    @property
    def library_(self) -> str:
        """The dataframe library of the fit, which answers that no data was given for come in."""
        return self._library

    @property
    def history_(self) -> Any:
        """The losses, one line for each look at the held-out rows, in the dataframe library of the fit."""
        rows = self.engine_.history
        names = rows[0].keys() if rows else []
        return UserTable(read_user_table({"_": [0]}).table, self._library).to_native(
            {n: [r[n] for r in rows] for n in names}
        )

    @property
    def notes_(self) -> list[str]:
        """What happened in the fit that is worth knowing."""
        return list(self.engine_.notes)

    @property
    def alarm_rate_(self) -> float:
        """The share of normal rows that may be alarms."""
        return self.alarm_rate if self.alarm_rate is not None else self.engine_.calibration.default_rate()

    @property
    def threshold_(self) -> float:
        """Bits above which a row is an alarm."""
        return self.engine_.calibration.alarm(self.alarm_rate)[1]

    @property
    def error_rate_(self) -> float:
        """The share of the cells with a value that are wrong, as estimated in the fit."""
        return self.engine_.cell_errors.rate

    @property
    def offset_(self) -> float:
        """scikit-learn's: `decision_function = score_samples - offset_`."""
        return -self.threshold_

    def anomaly_score(self, X: Any) -> np.ndarray:
        """(rows,) how odd each row is, in bits; higher is odder.

        Bits are -log2 of the share of normal rows that are at least as odd: 10 bits are one in a thousand.
        """
        engine = self.engine_
        return engine.bits(engine.read(X))

    def score_rows(self, X: Any, *, alarm_rate: float | None = None) -> Any:
        """bits, severity (0 to 100) and alarm of each row, in the caller's own dataframe library."""
        return tasks.score(self, X, alarm_rate=alarm_rate).to_frame()

    def score_samples(self, X: Any) -> np.ndarray:
        """(rows,) the opposite of `anomaly_score`: higher is more normal, as scikit-learn has it."""
        return -self.anomaly_score(X)

    def decision_function(self, X: Any) -> np.ndarray:
        """(rows,) `score_samples` shifted so that alarms are below 0."""
        return self.score_samples(X) - self.offset_

    def predict(self, X: Any) -> np.ndarray:
        """(rows,) +1 for a normal row, -1 for an alarm."""
        return np.where(self.anomaly_score(X) > self.threshold_, -1, 1)

    def transform(self, X: Any) -> np.ndarray:
        """(rows, latent) the latent coordinates of each row: `embed`, as an array."""
        return tasks.embed(self, X).z

    @property
    def inverse_transform(self) -> Callable[[Any], Any]:
        """Latent coordinates -> the scored columns of such rows, in the dataframe library of the fit.

        A model that was fitted on an array of pictures gives one back.

        Raises:
            UnsupportedError: the model has no bottleneck, so its coordinates are not all of a row.
        """
        if hasattr(self, "_engine"):
            tasks.check_decodable(self._engine)
        return self._inverse_transform

    def _inverse_transform(self, Z: Any) -> Any:
        columns = tasks.decode_latents(self.engine_, Z)
        if not hasattr(self, "feature_names_in_") and self.schema_.scored == [IMAGE_COLUMN]:
            return to_pixels(columns[IMAGE_COLUMN])
        return UserTable(read_user_table({"_": [0]}).table, self._library).to_native(columns)

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """The names of what `transform` returns."""
        engine = self.engine_
        size = getattr(engine.cell_network.bottleneck, "latent", None)
        if size is None:
            size = len(engine.axes[1]) if engine.axes is not None else 0
        return np.asarray([f"z{i}" for i in range(size)], dtype=object)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "_engine")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.categorical = True
        tags.input_tags.string = True
        # Codes are computed in single precision, whatever comes in.
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags
