"""The methods and attributes that scikit-learn defines for an estimator."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import update_wrapper
from inspect import signature
from types import MethodType
from typing import Any, Self, TypeVar, cast

import numpy as np
from sklearn.base import BaseEstimator, OutlierMixin, TransformerMixin
from sklearn.exceptions import NotFittedError
from sklearn.utils.metadata_routing import UNUSED

from diabolo import tasks
from diabolo.cleaning.rules.kinds import describe_rules
from diabolo.data.columns.image import to_pixels
from diabolo.data.schema import Schema
from diabolo.data.sources import IMAGE_COLUMN, Series, UserTable, read_user_table
from diabolo.engine import Engine
from diabolo.errors import DiaboloWarning, UnsupportedError
from diabolo.training.updating import check_updatable, update

F = TypeVar("F", bound=Callable[..., Any])


class _AvailableIf:
    """A method that an instance has only if `check(instance)` raises no error.

    scikit-learn's `available_if` does the same, but replaces the error of the check, and with it its hint,
    by a bare AttributeError.
    """

    def __init__(self, method: Callable[..., Any], check: Callable[[Any], None]) -> None:
        self.method, self.check = method, check
        update_wrapper(cast(Callable[..., Any], self), method)

    def __get__(self, instance: Any, owner: type | None = None) -> Callable[..., Any]:
        if instance is None:
            return self.method  # of the class: for its documentation
        self.check(instance)
        return MethodType(self.method, instance)


def available_if(check: Callable[[Any], None]) -> Callable[[F], F]:
    """Return a decorator for methods that exist only if `check(self)` raises no UnsupportedError.

    An UnsupportedError is an AttributeError too, so `hasattr` is False where the check raises one.
    """

    def decorate(method: F) -> F:
        return cast(F, _AvailableIf(method, check))

    return decorate


def _check_updatable(model: Estimator) -> None:
    if hasattr(model, "_engine"):
        check_updatable(model._engine)
    elif not Series.claims(model.get_params(deep=False)):
        raise UnsupportedError(
            "only a model of a series can be updated with newer points",
            hint="model.fit(X), or Autoencoder(time=...)",
        )


def _check_decodable(model: Estimator) -> None:
    if hasattr(model, "_engine"):
        tasks.check_decodable(model._engine)


class Estimator(TransformerMixin, OutlierMixin, BaseEstimator, ABC):  # type: ignore[misc]
    """A model with scikit-learn's methods: scores, predictions, latent coordinates, learned attributes."""

    # Z are the rows of `inverse_transform`, not metadata to be routed.
    __metadata_request__inverse_transform = {"Z": UNUSED}  # noqa: RUF012 - scikit-learn reads it so

    alarm_rate: float | None
    follow: bool | None
    _engine: Engine
    _library: str

    def __new__(cls, *args: Any, **options: Any) -> Self:
        # Not in __init__: scikit-learn reads the parameters off its signature, so it cannot take **options.
        known = signature(cls.__init__).parameters
        unknown = next((name for name in options if name not in known), None)
        if unknown is not None and all(p.kind is not p.VAR_KEYWORD for p in known.values()):
            raise cls._unknown(unknown)
        instance: Self = super().__new__(cls)
        return instance

    @classmethod
    @abstractmethod
    def _unknown(cls, name: str) -> Exception:
        """Return the error to raise for an argument that does not exist."""

    @abstractmethod
    def fit(self, X: Any, y: Any = None) -> Any:
        """Fit the model to the rows of X.

        Args:
            X: the data.
            y: not used; scikit-learn passes it.
        """

    @available_if(_check_updatable)
    def partial_fit(self, X: Any, y: Any = None) -> Self:
        """Update a model of a series with newer points; fit it if it is not fitted yet.

        The remembered past counts at most twice as much as the newer points: after each call, a third of
        the model is new. Windows with an alarm are not learned, unless a quarter of all windows have one:
        then the normal state has changed. At least ten windows of points are needed, with the time step of
        the fit.

        Args:
            X: the newer points, with the columns of the fit.
            y: not used; scikit-learn passes it.

        Returns:
            The model itself.

        Raises:
            UnsupportedError: the model is not one of a series whose networks are solved in closed form, as
                the default recipe's are.
            DataError: there are too few points, or their time step differs.

        Example:
            >>> import numpy as np
            >>> from diabolo import Autoencoder
            >>> wave = np.sin(np.arange(2000) / 5)
            >>> later = {"value": wave[1500:] + 3}
            >>> model = Autoencoder(window=32).fit({"value": wave[:1500]})
            >>> bool(model.anomaly_score(later).mean() > 5)
            True
            >>> with warnings.catch_warnings(action="ignore"):  # it warns of the drift
            ...     model = model.partial_fit(later)
            >>> bool(model.anomaly_score(later).mean() > 2)
            False
        """
        if not hasattr(self, "_engine"):
            return cast(Self, self.fit(X, y))
        frame = self._engine.read(X)
        drift, engine = tasks.drift(self, X), update(self._engine, frame, self.threshold_)
        notes = [drift.verdict] if drift.moved or drift.more_alarms else []
        engine = engine.with_report(*notes, drift=drift.verdict)
        for note in engine.notes:
            if note not in self._engine.notes:
                warnings.warn(note, DiaboloWarning, stacklevel=2)
        engine.calibration.alarm(self.alarm_rate)
        self._engine = engine
        return self

    def _adopt(self, engine: Engine, user_table: UserTable) -> Self:
        """Become the model of an engine that was fitted to this data."""
        engine.calibration.alarm(self.alarm_rate)  # raises for a rate that the calibration cannot hold
        self._engine, self._library = engine, user_table.library
        self.n_features_in_ = user_table.table.num_columns
        if user_table.named:
            self.feature_names_in_ = np.asarray(user_table.table.column_names, dtype=object)
        return self

    @property
    def engine_(self) -> Engine:
        """The fitted engine, which all tasks use."""
        if not hasattr(self, "_engine"):
            raise NotFittedError(
                "This Autoencoder instance is not fitted yet. Call 'fit' with appropriate arguments first."
            )
        engine: Engine = self._engine
        return engine

    @property
    def schema_(self) -> Schema:
        """The schema: kind and role of each column."""
        return self.engine_.schema

    @property
    def library_(self) -> str:
        """The dataframe library of the data of the fit; answers without input data use it."""
        return self._library

    @property
    def history_(self) -> Any:
        """The losses, one row per validation, in the dataframe library of the fit."""
        rows = self.engine_.history
        names = rows[0].keys() if rows else []
        return UserTable(read_user_table({"_": [0]}).table, self._library).to_native(
            {n: [r[n] for r in rows] for n in names}
        )

    @property
    def notes_(self) -> list[str]:
        """The messages of the fit, which were issued as warnings too."""
        return list(self.engine_.notes)

    @property
    def alarm_rate_(self) -> float:
        """The expected share of normal rows that are alarms (false alarms)."""
        return self.alarm_rate if self.alarm_rate is not None else self.engine_.calibration.default_rate()

    @property
    def threshold_(self) -> float:
        """The anomaly score in bits above which a row is an alarm."""
        return self.engine_.calibration.alarm(self.alarm_rate)[1]

    @property
    def error_rate_(self) -> float:
        """The share of wrong cells among those with a value, as estimated in the fit."""
        return self.engine_.cell_errors.rate

    @property
    def rules_(self) -> list[str]:
        """The dependencies between columns of a table, and in how many rows of the fit each holds."""
        checks = self.engine_.table_errors
        return [] if checks is None else describe_rules(checks.rules)

    @property
    def offset_(self) -> float:
        """scikit-learn's offset: `decision_function = score_samples - offset_`."""
        return -self.threshold_

    def anomaly_score(self, X: Any) -> np.ndarray:
        """Return the anomaly score of each row, (rows,), in bits; higher is more anomalous.

        A row has b bits if a share of 2^-b of normal rows is at least as anomalous: 10 bits are one row in a
        thousand.
        """
        engine = self.engine_
        return engine.bits(engine.read(X))

    def score_rows(
        self,
        X: Any,
        *,
        alarm_rate: float | None = None,
        follow: bool | None = None,
        false_discovery_rate: float | None = None,
    ) -> Any:
        """Return bits, severity (0 to 100) and alarm of each row, in the dataframe library of X.

        Args:
            X: rows with the columns of the fit.
            alarm_rate: share of normal rows that may be alarms; None for the model's own rate.
            follow: whether the alarm level of a series follows the share of alarms; None for the model's
                choice. A level that follows is returned too, as the column `level`.
            false_discovery_rate: share of the alarms that may be false, in place of `alarm_rate`: for "which
                of these rows are really anomalous?".

        Warns:
            DiaboloWarning: a series has left what the fit calls normal, until its last row.
        """
        scores = tasks.score(
            self, X, alarm_rate=alarm_rate, follow=follow, false_discovery_rate=false_discovery_rate
        )
        for shift, note in zip(scores.shifts, scores.notes, strict=True):
            if shift.lasts:
                warnings.warn(note, DiaboloWarning, stacklevel=2)
        return scores.to_frame()

    def score_samples(self, X: Any) -> np.ndarray:
        """Return `-anomaly_score(X)`, (rows,): higher is more normal, as in scikit-learn."""
        return -self.anomaly_score(X)

    def decision_function(self, X: Any) -> np.ndarray:
        """Return `score_samples(X) - offset_`, (rows,): alarms are below 0."""
        return self.score_samples(X) - self.offset_

    def predict(self, X: Any) -> np.ndarray:
        """Return +1 for each normal row and -1 for each alarm, (rows,)."""
        return np.where(tasks.score(self, X).alarm, -1, 1)

    def transform(self, X: Any) -> np.ndarray:
        """Return the latent coordinates of each row, (rows, latent): `embed` as an array."""
        return tasks.embed(self, X).z

    @available_if(_check_decodable)
    def inverse_transform(self, Z: Any) -> Any:
        """Decode latent coordinates to the scored columns of rows.

        Args:
            Z: (rows, latent) coordinates, as `transform` returns them.

        Returns:
            A frame in the dataframe library of the fit; images as (rows, height, width[, channels]) pixels
            if the model was fitted to such an array.

        Raises:
            UnsupportedError: the model has no bottleneck, so its coordinates do not determine a row.
            DataError: Z does not have one column per latent dimension.
        """
        columns = tasks.decode_latents(self.engine_, Z)
        if not hasattr(self, "feature_names_in_") and self.schema_.scored == [IMAGE_COLUMN]:
            return to_pixels(columns[IMAGE_COLUMN])
        return UserTable(read_user_table({"_": [0]}).table, self._library).to_native(columns)

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Return the names of the latent coordinates: z0, z1, ..."""
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
        # Latent codes are computed in single precision, whatever the input.
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags
