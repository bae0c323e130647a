"""What a sampler is, what it needs of a fitted model, and what it is asked for."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol, Self

import numpy as np

from diabolo.data.fields import Batch
from diabolo.data.schema import Schema
from diabolo.data.sources import Frame, Source
from diabolo.detection.memory import Memory
from diabolo.errors import OptionError
from diabolo.generation.priors import PRIORS
from diabolo.generation.seeds import resolve_seed
from diabolo.generation.window_mixture import WindowMixture
from diabolo.networks.network import Network
from diabolo.utils.checks import check_int

Table = dict[str, Any]
"""Column -> values of new rows."""


class Fitted(Protocol):
    """What samplers need of a fitted model."""

    @property
    def source(self) -> Source:
        """How data is read as rows or as windows."""

    @property
    def schema(self) -> Schema:
        """The columns, and how they are encoded."""

    @property
    def memory(self) -> Memory:
        """The remembered rows."""

    @property
    def cell_network(self) -> Network:
        """The network that predicts cells."""

    @property
    def window_mixture(self) -> WindowMixture | None:
        """The distribution of the windows of a series; None for a table, and with a bottleneck."""

    @property
    def samples_latents(self) -> bool:
        """Whether the network has a bottleneck from whose codes new rows are decoded."""

    @property
    def device(self) -> str:
        """The device of the network."""

    @property
    def threads(self) -> int | None:
        """Threads of torch; None for those that it has."""

    def texts_of(self, name: str) -> Sequence[str]:
        """Return different texts of a column of the fit; empty if they are not known."""

    def read(self, data: Any) -> Frame:
        """Read the user's data, and check its columns."""

    def chunks(self, frame: Frame) -> Iterator[tuple[slice, Batch]]:
        """Encode the rows of a frame, a chunk at a time."""

    def fill_missing(self, batch: Batch) -> Batch:
        """Return the rows with predictions in the place of missing values."""


@dataclass(frozen=True)
class Request:
    """The options of `generate`, of which those that hold for every model are checked.

    Attributes:
        n: rows, or points of each series; None, with `like`, for one row for each of those.
        seed: of all samples.
        given: column -> its value, a list of values or a (lowest, highest) range.
        like: rows of which new ones keep some columns.
        keep: columns that are kept of `like`.
        where: constraints on rows.
        observed: groups of columns whose combinations must occur among the remembered rows.
        prior: name of the distribution of latent codes.
        series: new series; None for points that follow the fit.
    """

    n: int | None
    seed: int
    given: Mapping[str, Any] = field(default_factory=dict)
    like: Any = None
    keep: tuple[str, ...] = ()
    where: tuple[str, ...] = ()
    observed: tuple[tuple[str, ...], ...] = ()
    prior: str = "mixture"
    series: int | None = None

    @classmethod
    def of(
        cls,
        n: int | None = None,
        *,
        seed: int | np.integer[Any] | None = None,
        given: Mapping[str, Any] | None = None,
        like: Any = None,
        keep: Sequence[str] = (),
        where: Sequence[str] = (),
        observed: Sequence[str] | Sequence[Sequence[str]] = (),
        prior: str = "mixture",
        series: int | None = None,
    ) -> Self:
        """Check the options of `generate`.

        Args:
            n: rows, or points of each series.
            seed: of all samples; None for another one at each call.
            given: column -> what all rows have there.
            like: rows of which new ones keep columns.
            keep: columns that are kept of `like`.
            where: one constraint or several.
            observed: one group of columns or several.
            prior: one of `PRIORS`.
            series: new series; None for points that follow the fit.

        Raises:
            OptionError: an option has a value that no model can serve.
        """
        if n is None and like is None and not keep:
            raise OptionError("n is missing: how many rows?", hint="model.generate(100)")
        if keep and like is None:
            raise OptionError("keep needs rows of which columns are kept", hint='like=rows, keep=["column"]')
        if prior not in PRIORS:
            raise OptionError(f"prior={prior!r} is not known", hint=f"one of {', '.join(PRIORS)}")
        groups: list[Any] = list(observed)
        if groups and all(isinstance(group, str) for group in groups):
            groups = [groups]
        return cls(
            n=None if n is None else check_int("n", n),
            seed=resolve_seed(seed),
            given=dict(given or {}),
            like=like,
            keep=tuple(keep),
            where=(where,) if isinstance(where, str) else tuple(where),
            observed=tuple(tuple(group) for group in groups),
            prior=prior,
            series=None if series is None else check_int("series", series),
        )


class Sampler(ABC):
    """Samples new rows from one kind of fitted model.

    Args:
        fitted: a model that the sampler serves.
        request: what is asked for, accepted by `accepts`.
    """

    name: ClassVar[str]

    def __init__(self, fitted: Fitted, request: Request) -> None:
        self.fitted, self.request = fitted, request

    @classmethod
    @abstractmethod
    def serves(cls, fitted: Fitted) -> bool:
        """Return whether this is the sampler of such a model; the first one listed that does is used."""

    @classmethod
    @abstractmethod
    def accepts(cls, fitted: Fitted, request: Request) -> None:
        """Raise an error with a hint if the request cannot be served.

        Args:
            fitted: a model that the sampler serves.
            request: what is asked for.

        Raises:
            UnsupportedError: the model cannot do it, but another one can.
            OptionError: an option has a value that does not fit the model.
        """

    @abstractmethod
    def sample(self, n: int) -> Table:
        """Sample rows, or points of each series; inside `sampling.sampling_mode`.

        Returns:
            Column -> values, of the columns that the model has learnt.
        """

    @abstractmethod
    def batches(self) -> Iterator[Table]:
        """Yield all that is asked for, with the columns that are made without a model.

        Raises:
            OptionError: the conditions cannot be satisfied.
        """
