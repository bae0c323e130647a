"""What networks start from: nothing, or the linear prediction of windows."""

from __future__ import annotations

import pytest
import torch

from diabolo import Mask, Member, Noise, Rebuild, Vanilla
from diabolo.data.fields import Batch, Curve, Real
from diabolo.networks.base import NoBase
from diabolo.networks.prediction import Prediction
from diabolo.networks.window_base import WindowBase, make_base
from tests.field_examples import EXAMPLES

LENGTH, CHANNELS = 8, 2
FIELDS = {Curve.kind: [Curve(LENGTH)] * CHANNELS}


def windows(rows: int = 60) -> Batch:
    values = torch.randn(rows, CHANNELS, LENGTH, generator=torch.Generator().manual_seed(0)).cumsum(2)
    visible = torch.ones_like(values, dtype=torch.bool)
    visible[3, 0, 2:4] = False
    return Batch({Curve.kind: values * visible}, {Curve.kind: visible})


@pytest.mark.parametrize(
    "member",
    [Member(window_filter=False), Member(bottleneck=Vanilla(2)), Member(objective=Rebuild("l2"))],
    ids=["without a filter", "with a bottleneck", "with reconstruction"],
)
def test_other_networks_have_no_base(member: Member) -> None:
    assert isinstance(make_base(FIELDS, member), NoBase)
    assert isinstance(make_base({Real.kind: EXAMPLES[Real]}, Member()), NoBase)


def test_no_base_changes_nothing() -> None:
    base, batch = NoBase(), windows()
    prepared = base.prepare(batch)
    assert prepared.batch is batch and base.interpolated(batch) is batch
    assert base.initialise(batch) == {} and base.guess(batch) == {}
    prediction = Prediction(torch.zeros(1), torch.zeros(1), {})
    assert base.restore(prediction, prepared) is prediction
    assert not list(base.parameters()) and not base.state_dict()


@pytest.mark.parametrize("corruption", [Mask(), Noise(0.2)], ids=["masks", "noise"])
def test_only_a_base_that_masks_predicts_scales(corruption: Mask | Noise) -> None:
    base, batch = make_base(FIELDS, Member(corruption=corruption)), windows()
    assert isinstance(base, WindowBase)
    scales = base.initialise(batch)
    assert (scales == {}) == corruption.masks
    mean, log_scale = base.guess(batch)[Curve.kind]
    assert mean.shape == batch.values[Curve.kind].shape
    assert (log_scale is not None) == corruption.masks
    assert base.prepare(batch).batch is batch


def test_whitened_windows_are_complete_and_can_be_restored() -> None:
    base, batch = make_base(FIELDS, Member(corruption=Noise(0.2), whiten=True)), windows()
    base.initialise(batch)
    assert base.completes
    for complete in (base.prepare(batch).batch, base.interpolated(batch)):
        assert bool(complete.visible[Curve.kind].all())
    seen = batch.visible[Curve.kind]
    assert torch.equal(base.interpolated(batch).values[Curve.kind][seen], batch.values[Curve.kind][seen])
