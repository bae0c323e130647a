"""What every sampler promises."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from diabolo import Autoencoder
from diabolo.errors import DiaboloError, OptionError, UnsupportedError
from diabolo.generation import SAMPLERS, Request, Sampler
from diabolo.generation.columnwise import ColumnwiseSampler
from diabolo.generation.latent import LatentSampler
from diabolo.generation.overlapping_windows import OverlappingWindowsSampler
from diabolo.generation.window_blocks import WindowMixtureSampler
from diabolo.tasks.generate import make_sampler
from tests import made
from tests.fits import fitted

MODELS: dict[type[Sampler], Callable[[], Autoencoder]] = {
    ColumnwiseSampler: lambda: fitted(made.mixed(300), "masked", epochs=1),
    LatentSampler: lambda: fitted(made.mixed(300), "variational", epochs=1, latent=2),
    OverlappingWindowsSampler: lambda: fitted(made.fleet(), "vanilla", time="time", window=24, epochs=1),
    WindowMixtureSampler: lambda: fitted(made.fleet(), time="time", by="machine", window=24),
}
TABLES = made.mixed(5, seed=1)
REFUSED: dict[type[Sampler], list[tuple[dict[str, Any], type[DiaboloError]]]] = {
    ColumnwiseSampler: [
        ({"n": 5, "series": 2}, OptionError),
        ({"like": TABLES, "keep": ["unit"]}, OptionError),
        ({"like": TABLES, "keep": ["count"], "given": {"city": ["Oslo", "Rome"]}}, OptionError),
    ],
    LatentSampler: [
        ({"n": 5, "series": 2}, OptionError),
        ({"n": 5, "given": {"city": "Oslo"}, "prior": "normal"}, UnsupportedError),
        ({"like": TABLES, "keep": ["count"]}, UnsupportedError),
    ],
    OverlappingWindowsSampler: [
        ({"n": 5, "given": {"machine": "a"}}, UnsupportedError),
        ({"n": 5, "where": "heat > 3"}, UnsupportedError),
        ({"n": 5, "prior": "normal"}, UnsupportedError),
        ({"like": TABLES, "keep": ["count"]}, OptionError),
    ],
    WindowMixtureSampler: [
        ({"n": 5, "given": {"nothing": 3}}, OptionError),
        ({"n": 5, "series": 1, "given": {"machine": "of nobody"}}, OptionError),
        ({"n": 5, "observed": ["heat", "machine"]}, UnsupportedError),
        ({"like": TABLES, "keep": ["count"]}, OptionError),
    ],
}
ANY_MODEL_REFUSES = [
    {},
    {"n": 0},
    {"n": True},
    {"n": 5, "seed": -1},
    {"n": 5, "prior": "flat"},
    {"n": 5, "series": 0},
    {"n": 5, "keep": ["city"]},
]


@pytest.fixture(scope="module", params=SAMPLERS, ids=lambda kind: kind.__name__)
def kind(request: pytest.FixtureRequest) -> type[Sampler]:
    assert request.param in MODELS, f"say in MODELS which model {request.param.__name__} serves"
    return request.param


@pytest.fixture(scope="module")
def model(kind: type[Sampler]) -> Autoencoder:
    return MODELS[kind]()


def sampled(model: Autoencoder, **options: Any) -> pa.Table:
    """All batches of a request, as one table."""
    batches = make_sampler(model.engine_, Request.of(**options)).batches()
    return pa.concat_tables([pa.table(batch) for batch in batches])


def test_it_serves_its_model_and_no_other_kind_does(kind: type[Sampler], model: Autoencoder) -> None:
    assert [other for other in SAMPLERS if other.serves(model.engine_)] == [kind]
    assert isinstance(make_sampler(model.engine_, Request.of(5)), kind)


def test_names_are_unique() -> None:
    assert len({kind.name for kind in SAMPLERS}) == len(SAMPLERS)


def test_it_gives_what_is_asked_for(kind: type[Sampler], model: Autoencoder) -> None:
    table = sampled(model, n=70, seed=0)
    assert table.num_rows == 70
    assert set(model.schema_.scored) <= set(table.column_names)
    assert np.isfinite(model.anomaly_score(table)).all()


def test_the_same_seed_gives_the_same_rows(model: Autoencoder) -> None:
    first, again, other = (sampled(model, n=30, seed=seed) for seed in (3, 3, 4))
    assert first.equals(again) and not first.equals(other)


def test_the_torch_generator_is_left_as_it_was(model: Autoencoder) -> None:
    import torch

    torch.manual_seed(0)
    untouched = torch.rand(3)
    torch.manual_seed(0)
    sampled(model, n=30, seed=1)
    assert torch.equal(torch.rand(3), untouched)


def test_it_refuses_what_it_cannot_do(kind: type[Sampler], model: Autoencoder) -> None:
    for options, error in REFUSED[kind]:
        with pytest.raises(error) as caught:
            kind.accepts(model.engine_, Request.of(**options))
        assert caught.value.hint, options
        with pytest.raises(error):
            make_sampler(model.engine_, Request.of(**options))


@pytest.mark.parametrize("options", ANY_MODEL_REFUSES, ids=str)
def test_a_request_that_no_model_can_serve_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(OptionError):
        Request.of(**options)


def test_a_request_is_normalised() -> None:
    request = Request.of(np.int64(5).item(), seed=np.int64(3), where="a < b", observed=["a", "b"])
    assert (request.n, request.seed, request.where) == (5, 3, ("a < b",))
    assert request.observed == (("a", "b"),) and request.given == {}
    assert Request.of(1).seed != Request.of(1).seed
