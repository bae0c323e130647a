"""The contract of every stem, and of the head that it makes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from diabolo.data.fields import FIELDS, Field, Real, Symbol
from diabolo.errors import OptionError
from diabolo.networks.likelihoods import log_mass
from diabolo.networks.stems import STEMS, StemOptions, make_stem
from diabolo.networks.stems.convolution import ConvolutionStem
from diabolo.utils.torch_state import forked_rng
from tests.field_examples import EXAMPLES, ROWS, values_for

WIDTH = 12


def of(kinds: tuple[str, ...]) -> list[type[Field]]:
    return [field for field in FIELDS if field.kind in kinds]


def visible(values: Tensor) -> Tensor:
    return torch.ones_like(values, dtype=torch.bool)


INPUT = [
    (kind, stem)
    for stem in STEMS
    if not stem.reconstructs
    and stem is not ConvolutionStem  # tests/networks/test_convolution.py: needs large images
    for kind in of(stem.kinds)
]
FLAT = [(kind, stem) for stem in STEMS if stem.reconstructs for kind in of(stem.kinds)]


@pytest.fixture(params=INPUT, ids=lambda pair: f"{pair[1].__name__}-{pair[0].kind}")
def kind(request: pytest.FixtureRequest) -> type[Field]:
    return request.param[0]


@pytest.fixture(params=[False, True], ids=["means", "full"])
def modules(kind: type[Field], request: pytest.FixtureRequest) -> Any:
    with forked_rng(0):
        stem: Any = make_stem(EXAMPLES[kind], StemOptions(embedding=4, full_distribution=request.param))
        return stem, stem.make_head(WIDTH)


@pytest.fixture(params=FLAT, ids=lambda pair: f"{pair[1].__name__}-{pair[0].kind}")
def flat_kind(request: pytest.FixtureRequest) -> type[Field]:
    return request.param[0]


@pytest.fixture
def flat(flat_kind: type[Field]) -> Any:
    with forked_rng(0):
        return make_stem(EXAMPLES[flat_kind], StemOptions(embedding=4, reconstruct_embeddings=True))


@pytest.mark.parametrize(("kind", "stem"), [*INPUT, *FLAT])
def test_the_stem_of_a_kind_is_the_listed_one(kind: type[Field], stem: type) -> None:
    made = make_stem(EXAMPLES[kind], StemOptions(reconstruct_embeddings=stem.reconstructs))
    assert type(made) is stem


def test_stem_has_its_width(kind: type[Field], modules: Any) -> None:
    values = values_for(kind)
    assert modules[0](values, visible(values)).shape == (ROWS, modules[0].width)


def test_a_hidden_cell_shows_only_that_it_is_hidden(kind: type[Field], modules: Any) -> None:
    stem, values = modules[0], values_for(kind)
    everything = visible(values)
    shown = everything.clone()
    shown[:, 0] = False
    other = values.clone()
    other[:, 0] = values[:, 0].roll(1, 0) if kind is Symbol else values[:, 0] + 3
    other[0, 0] = (values[0, 0] + 1) % 3
    assert torch.equal(stem(values, shown), stem(other, shown))
    assert not torch.equal(stem(values, everything), stem(other, everything))
    assert not torch.equal(stem(values, shown), stem(values, everything))


def test_rows_are_read_one_by_one(kind: type[Field], modules: Any) -> None:
    values = values_for(kind)
    together = modules[0](values, visible(values))
    for row in range(ROWS):
        alone = modules[0](values[row : row + 1], visible(values)[row : row + 1])
        assert torch.allclose(alone[0], together[row], atol=1e-6)


def test_input_columns_are_those_that_a_field_changes(kind: type[Field], modules: Any) -> None:
    stem, values = modules[0], values_for(kind)
    if not hasattr(stem, "input_columns"):
        assert EXAMPLES[kind][0].cell != ()  # only fields of one value are drawn one after the other
        return
    shown = visible(values)
    read = stem(values, shown)
    for field in range(len(EXAMPLES[kind])):
        hidden = shown.clone()
        hidden[:, field] = False
        changed = torch.nonzero((stem(values, hidden) != read).any(0)).flatten()
        assert set(changed.tolist()) <= set(stem.input_columns(field).tolist())


def test_head_predicts_every_cell(kind: type[Field], modules: Any) -> None:
    values = values_for(kind)
    with forked_rng(1):
        likelihood = modules[1](torch.randn(ROWS, WIDTH))
    assert likelihood.batch_shape == values.shape
    assert likelihood.log_prob(values).shape == values.shape
    assert torch.isfinite(likelihood.log_prob(values)).all()
    assert likelihood.mean.shape == values.shape


def test_head_learns(kind: type[Field], modules: Any) -> None:
    values = values_for(kind)
    with forked_rng(1):
        h = torch.randn(ROWS, WIDTH)
    loss = -modules[1](h).log_prob(values).sum()
    loss.backward()
    gradients = [p.grad for p in modules[1].parameters() if p.grad is not None]
    assert gradients and any(float(g.abs().sum()) > 0 for g in gradients)


def test_log_probabilities_of_right_and_wrong_cells_are_in_one_measure(
    kind: type[Field], modules: Any
) -> None:
    values = values_for(kind)
    likelihood = modules[1](torch.zeros(ROWS, WIDTH))
    for index, field in enumerate(EXAMPLES[kind]):
        one = values[:, index : index + 1]
        log_p, log_q = log_mass(field, likelihood.narrow(index), one), field.log_prob_if_wrong(one.numpy())
        assert log_p.shape == one.shape == log_q.shape[1:]
        assert np.isfinite(log_q).all() and bool(torch.isfinite(log_p).all())


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("index", [0, 1])
def test_masses_of_the_bins_of_a_number_sum_to_one(index: int, full: bool) -> None:
    field = EXAMPLES[Real][index]
    stem: Any = make_stem([field], StemOptions(full_distribution=full))
    likelihood = stem.make_head(WIDTH)(torch.zeros(1, WIDTH)).narrow(0)
    masses = [log_mass(field, likelihood, torch.tensor([[float(c)]])).exp().item() for c in field.centres]
    assert sum(masses) == pytest.approx(1, abs=1e-4)


def test_neighbours_on_a_circle_start_alike() -> None:
    """Hours 23 and 0 are as near to each other as hours 11 and 12, and 0 and 12 are far apart."""
    counts = np.r_[0, np.ones(24)]
    with forked_rng(0):
        stem: Any = make_stem([Symbol(counts, circular=True)], StemOptions(embedding=4))
    circle = stem.embedding.weight[0, :, :2].detach().numpy()

    def apart(a: int, b: int) -> float:
        return float(np.linalg.norm(circle[a + 1] - circle[b + 1]))

    assert apart(23, 0) == pytest.approx(apart(11, 12), abs=1e-5)
    assert apart(0, 12) > 5 * apart(23, 0)


def test_a_flat_stem_decodes_what_it_reads(flat_kind: type[Field], flat: Any) -> None:
    values = values_for(flat_kind)
    if flat_kind is Symbol:
        values = values.clamp_min(1)  # symbol 0 did not occur, and is never predicted
    vector = flat(values, None)
    assert vector.shape == (ROWS, flat.width)
    likelihood = flat.decode(vector)
    assert likelihood.batch_shape == values.shape
    assert torch.allclose(likelihood.mode.double(), values.double(), atol=1e-5)


def test_a_flat_stem_reads_missing_values_as_zero(flat_kind: type[Field], flat: Any) -> None:
    values = values_for(flat_kind)
    shown = visible(values)
    shown[:, 0] = False
    weights = flat.expand_weights(shown.float())
    assert weights.shape == (ROWS, flat.width)
    assert bool((flat(values, shown)[weights == 0] == 0).all())
    assert torch.equal(flat(values, shown)[weights == 1], flat(values, None)[weights == 1])


@torch.no_grad()
def test_scales_of_a_flat_stem_are_those_of_the_errors(flat_kind: type[Field], flat: Any) -> None:
    values = values_for(flat_kind)
    vector = flat(values, None)
    flat.fit_scales(vector + 0.5, values, visible(values))
    assert torch.allclose(flat.scale, torch.full_like(flat.scale, 0.5), atol=1e-4)


def test_labels_have_no_unit_range() -> None:
    options = StemOptions(reconstruct_embeddings=True, unit_range=True)
    with pytest.raises(OptionError, match="between 0 and 1"):
        make_stem(EXAMPLES[Symbol], options)
