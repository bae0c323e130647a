"""What networks are trained for; the classic one against its formulas, written out."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
import torch
from torch import Tensor

from diabolo import Autoencoder, Clean, Member, Rebuild, Vanilla, Variational
from diabolo.data.fields import Batch
from diabolo.data.schema import Schema
from diabolo.datasets import adults
from diabolo.errors import OptionError
from diabolo.networks.network import Network
from diabolo.networks.recipes import make_members
from diabolo.utils.torch_state import forked_rng

ROWS = 128


@pytest.fixture(scope="module")
def schema() -> Schema:
    table = adults().slice(0, 400)
    return Schema.infer({name: table[name].combine_chunks() for name in table.column_names})


@pytest.fixture(scope="module")
def batch(schema: Schema) -> Batch:
    table = adults().slice(0, 400)
    read = schema.encode({name: table[name].combine_chunks() for name in table.column_names})
    return read[:ROWS].fill({k: torch.ones_like(v) for k, v in read[:ROWS].values.items()})


def classic(schema: Schema, **options: object) -> Network:
    member = make_members("classic", options)["classic"]
    with forked_rng(0):
        network = Network(schema.fields, schema.scored_fields, member)
        for parameter in network.parameters():
            parameter.data += 0.05 * torch.randn_like(parameter)
    return network


def written_out(
    weights: dict[str, Tensor], batch: Batch, *, stdev: float, beta: float, training: bool
) -> list[Tensor]:
    """Total, reconstruction and KL of a batch, line by line: embeddings and numbers in, the same out."""
    labels, numbers = batch.values["symbol"], batch.values["real"]
    table = weights["stems.symbol.embedding.weight"]
    x_embed = torch.cat([table[i][labels[:, i]] for i in range(labels.shape[1])], dim=1)
    x = torch.cat((numbers, x_embed), dim=1)

    def layers(h: Tensor, part: str) -> Tensor:
        for i in range(5):
            name = f"{part}.blocks.{i}"
            h = h @ weights[f"{name}.0.weight"].T + weights[f"{name}.0.bias"]
            if training:
                mean, variance = h.mean(0), h.var(0, unbiased=False)
            else:
                mean, variance = weights[f"{name}.1.running_mean"], weights[f"{name}.1.running_var"]
            h = (h - mean) / torch.sqrt(variance + 1e-5) * weights[f"{name}.1.weight"] + weights[
                f"{name}.1.bias"
            ]
            h = torch.where(h > 0, h, 0.1 * h)
        return h

    h = layers(x, "encoder")
    mu = h @ weights["bottleneck.mean.weight"].T + weights["bottleneck.mean.bias"]
    logvar = h @ weights["bottleneck.log_var.weight"].T + weights["bottleneck.log_var.bias"]
    z = mu
    if training:
        z = torch.randn_like(mu) * stdev * torch.exp(0.5 * logvar) + mu
    recon = layers(z, "decoder") @ weights["output.weight"].T + weights["output.bias"]
    gap = (recon - x).abs()
    recon_loss = torch.where(gap < 1, 0.5 * gap**2, gap - 0.5).mean()
    kld = -0.5 * torch.mean(1 + logvar - mu**2 - logvar.exp())
    return [recon_loss + beta * kld, recon_loss, kld]


@pytest.mark.parametrize("training", [True, False])
def test_the_classic_loss_is_its_formulas(schema: Schema, batch: Batch, training: bool) -> None:
    network = classic(schema, stdev=0.3, beta=0.2).train(training)
    weights = {k: v.clone().double() for k, v in network.state_dict(keep_vars=False).items()}
    network.double()
    wide = Batch({k: v.double() if k == "real" else v for k, v in batch.values.items()}, batch.visible)
    with forked_rng(7):
        got = network.loss(wide)
    with forked_rng(7):
        expected = written_out(weights, wide, stdev=0.3, beta=0.2, training=training)
    torch.testing.assert_close(torch.stack(list(got)), torch.stack(expected), rtol=0, atol=1e-6)
    assert float(got.kl.detach()) > 0.01


def test_gradients_reach_embeddings_from_both_sides(schema: Schema, batch: Batch) -> None:
    network = classic(schema).train()
    loss = network.loss(batch).reconstruction
    (gradient,) = torch.autograd.grad(loss, network.stems["symbol"].embedding.weight)
    assert float(gradient.abs().sum()) > 0
    # With the decoder's output frozen at 0 only the target is left to learn: embeddings shrink.
    for parameter in network.output.parameters():
        parameter.data.zero_()
    network.eval()
    (pull,) = torch.autograd.grad(
        network.loss(batch).reconstruction, network.stems["symbol"].embedding.weight
    )
    weight = network.stems["symbol"].embedding.weight
    assert float((pull * weight).sum().detach()) > 0


def test_row_losses_are_the_parts_of_the_loss(schema: Schema, batch: Batch) -> None:
    network = classic(schema).eval()
    torch.testing.assert_close(network.row_losses(batch).mean(), network.loss(batch).total.detach())


@pytest.mark.parametrize("loss", ["huber", "l2", "bce"])
def test_each_loss_restores_numbers(loss: str) -> None:
    rng = np.random.default_rng(0)
    hidden = rng.random((600, 2))
    table = np.c_[hidden, hidden @ [0.5, 0.5], hidden @ [0.2, -0.7]]
    model = Autoencoder("vanilla", latent=3, objective=loss, epochs=60, lr=5e-3).fit(table)
    rebuilt = np.column_stack(list(model.reconstruct(table).table.values()))
    assert np.abs(rebuilt - table).mean() < 0.3 * table.std(0).mean()


def test_missing_values_and_context_do_not_count(schema: Schema, batch: Batch) -> None:
    network = classic(schema).eval()
    seen = batch.visible["real"].clone()
    seen[:, 0] = False
    incomplete = batch.replace(visible={"real": seen})
    other = incomplete.replace(values={"real": batch.values["real"] + 5.0 * torch.eye(seen.shape[1])[0]})
    torch.testing.assert_close(network.row_losses(incomplete), network.row_losses(other))


def test_the_likeliest_label_is_the_one_with_the_nearest_embedding(schema: Schema, batch: Batch) -> None:
    network = classic(schema).eval()
    network.fit_scales(batch)
    with torch.no_grad():
        latent, _ = network.encode(batch)
        vector = torch.split(network.reconstruct(latent), network.widths, 1)[1].view(ROWS, -1, 16)
        said = network.decode(latent)["symbol"].mode
    table = network.stems["symbol"].embedding.weight.detach()
    for column, counts in enumerate(field.counts for field in schema.fields["symbol"]):
        known = torch.nonzero(torch.as_tensor(counts > 0)).flatten()
        near = torch.cdist(vector[:, column], table[column, known]).argmin(1)
        assert torch.equal(said[:, column], known[near])


def test_embeddings_have_the_sizes_that_were_asked_for() -> None:
    table = pa.table({"a": list("xyz") * 40, "b": list("uvuw") * 30, "n": np.arange(120.0) % 7})
    model = Autoencoder("classic", embedding={"a": 3, "b": 2}, epochs=1).fit(table)
    network = model.engine_.row_network
    assert network.stems["symbol"].embedding.sizes == [3, 2]
    assert network.output.out_features == 3 + 2 + 1
    embedding = network.stems["symbol"].embedding
    assert float(embedding.table[1, :, 2:].detach().abs().sum()) == 0
    flat = torch.randn(4, 5)
    torch.testing.assert_close(embedding.flatten(embedding.unflatten(flat)), flat)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"objective": "hinge"}, "likelihood, huber, l2, bce"),
        ({"embedding": {"n": 3}}, "no category"),
        ({"embedding": {"c": 3}}, "does not have"),
        ({"embedding": {"a": 0}}, "whole number"),
        ({"recipe": "vanilla", "stdev": 0.1}, "variational"),
        ({"objective": "bce"}, "between 0 and 1"),
    ],
)
def test_options_that_cannot_work_are_refused(options: dict[str, object], said: str) -> None:
    table = pa.table({"a": list("xyz") * 40, "n": np.arange(120.0) % 7})
    with pytest.raises(OptionError, match=said):
        Autoencoder(**{"recipe": "classic", "epochs": 1, **options}).fit(table)  # type: ignore[arg-type]


def test_a_member_says_what_it_is_trained_for() -> None:
    member = Member(corruption=Clean(), bottleneck=Vanilla(2), objective=Rebuild("l2"))
    assert Member.from_json(member.to_json()).objective == Rebuild("l2")
    assert repr(Rebuild("l2")) == "Rebuild(loss='l2')" and Rebuild("l2") != Rebuild()
    assert Variational(2, stdev=0.1).options()["stdev"] == 0.1


@pytest.mark.filterwarnings("ignore::diabolo.DiaboloWarning")  # it has collapsed, and says so
def test_labels_can_cheat_the_classic_objective_and_not_the_likelihood() -> None:
    """Embeddings that become alike cost nothing to rebuild and answer nothing."""
    rng = np.random.default_rng(0)
    table = pa.table({"a": rng.choice(list("abcdefgh"), 600), "b": rng.choice(list("uvwxyz"), 600)})
    right, apart = {}, {}
    training = {"epochs": 200, "lr": 5e-3, "schedule": "constant", "patience": 0}
    for objective in ("huber", "likelihood"):
        model = Autoencoder(
            "variational", latent=1, beta=0.05, embedding=4, objective=objective, **training
        ).fit(table)
        said = model.reconstruct(table).table
        right[objective] = np.mean([np.mean(np.asarray(said[n]) == np.asarray(table[n])) for n in said])
        network = model.engine_.row_network
        apart[objective] = float(network.stems["symbol"].embedding.weight[:, 1:7].std(1).mean().detach())
    assert right["huber"] < 0.35 and apart["huber"] < 0.1
    assert right["likelihood"] > 0.5 and apart["likelihood"] > 0.3
