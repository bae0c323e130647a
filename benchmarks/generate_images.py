"""Generated images: python -m benchmarks.generate_images --data DIR --json OUT [--seeds N] [--peers a,b].

DIR holds `.npz` with `x_train` and `x_test`, images (n, height, width) of 8 bits, and `y_train`, the class of
each; other files are ignored. `--pictures FOLDER` writes a sheet of samples for each method.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from benchmarks import common
from diabolo import Autoencoder
from diabolo.data.fields import Pixels
from diabolo.utils.torch_state import forked_rng

Pictures = NDArray[np.uint8]
LATENT = 16  # numbers of a code: the default of diabolo
MAX_TRAINING, MAX_SAMPLES = 5_000, 5_000  # images to fit; to generate, and to compare with
FEATURES, EPOCHS, BATCH, MAX_CLASSIFIED = 64, 4, 64, 20_000  # of the classifier
PEER = "pythae_vae_gmm"
COMPONENTS = 10  # of the peer's mixture: its default
CLAIM = "generated images are nearer to real ones than those of a variational autoencoder of pythae"
PROTOCOL = (
    f"fit: {MAX_TRAINING:,} of x_train; {MAX_SAMPLES:,} images are generated and compared with x_test. "
    "frechet: distance of normal distributions of the features of a small classifier, trained on x_train in "
    "the run; real: that of as many of x_train. copies: share of the images that are nearer to a fitted "
    "image than 99 % of x_test are. bits_per_pixel: evidence lower bound of x_test, with the mass of each of "
    "256 levels. The peer has codes of the same size, its own defaults, and as much CPU time."
)


class Classifier(nn.Module):
    """A small convolutional network, whose last hidden layer are the features."""

    def __init__(self, height: int, width: int, classes: int) -> None:
        super().__init__()
        cells = -(-height // 4) * -(-width // 4)
        self.features = nn.Sequential(
            nn.Conv2d(1, 16, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(16, 32, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(32 * cells, FEATURES),
            nn.ReLU(),
        )
        self.last = nn.Linear(FEATURES, classes)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.last(self.features(images))
        return logits


def to_tensor(images: Pictures) -> Tensor:
    """Return images between 0 and 1, (n, 1, height, width)."""
    return torch.from_numpy(images.astype(np.float32) / 255).unsqueeze(1)


def train_classifier(images: Pictures, labels: NDArray[Any], seed: int) -> Classifier:
    """Train the network whose features are compared.

    Args:
        images: all training images.
        labels: the class of each.
        seed: of weights and order.
    """
    with forked_rng(seed):
        names, numbers = np.unique(labels, return_inverse=True)
        network, targets = Classifier(*images.shape[1:], len(names)), torch.from_numpy(numbers)
        optimizer = torch.optim.Adam(network.parameters(), 1e-3)
        for _ in range(EPOCHS):
            for rows in torch.randperm(len(images)).split(BATCH):
                optimizer.zero_grad()
                loss = nn.functional.cross_entropy(network(to_tensor(images[rows.numpy()])), targets[rows])
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
    return network.eval()


@torch.no_grad()
def features_of(network: Classifier, images: Pictures) -> NDArray[np.float64]:
    """Return the (n, features) features of images."""
    parts = [network.features(part) for part in to_tensor(images).split(1_000)]
    return torch.cat(parts).double().numpy()


def frechet(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Return |m - n|^2 + tr(A + B - 2 (A B)^1/2) of two sets of features (Heusel et al., 2017)."""
    gap = first.mean(0) - second.mean(0)
    a, b = np.cov(first, rowvar=False), np.cov(second, rowvar=False)
    # A feature may be constant: the roots are those of the eigenvalues of A^1/2 B A^1/2, which are >= 0.
    values, axes = np.linalg.eigh(a)
    root = (axes * np.sqrt(values.clip(0))) @ axes.T
    overlap = np.sqrt(np.linalg.eigvalsh(root @ b @ root).clip(0)).sum()
    return float(gap @ gap + np.trace(a + b) - 2 * overlap)


def nearest(images: Pictures, fitted: Pictures) -> NDArray[np.float32]:
    """Return (n,) the distances of images to the nearest fitted one."""
    known = to_tensor(fitted).flatten(1)
    parts = [torch.cdist(part, known).amin(1) for part in to_tensor(images).flatten(1).split(500)]
    return torch.cat(parts).numpy()


def bits_per_pixel(model: Autoencoder, images: Pictures, seed: int) -> float:
    """Return the upper bound on the cost of images in bits: KL and mass of each level, a code sampled.

    Args:
        model: fitted to such images.
        images: not fitted.
        seed: of the codes.
    """
    engine, nats = model.engine_, 0.0
    network, column = engine.cell_network, engine.schema["image"]
    network.bottleneck.train()
    with torch.no_grad(), forked_rng(seed):
        for _, batch in engine.chunks(engine.read(images)):
            prediction = network(batch)
            likelihood, values = prediction.likelihoods[Pixels.kind], batch.values[Pixels.kind]
            level = torch.round(values * column.scale + column.mean)
            low, high = ((level + side - column.mean) / column.scale for side in (-0.5, 0.5))
            above = torch.where(level >= 255, 1.0, likelihood.cdf(high))
            mass = above - torch.where(level <= 0, 0.0, likelihood.cdf(low))
            nats += float(prediction.kl.sum() - mass.clamp_min(1e-12).log().sum())
    network.bottleneck.eval()
    return nats / np.log(2) / images.size


def ours(fitted: Pictures, seed: int) -> tuple[Autoencoder, Pictures]:
    """Return a fitted model and generated images."""
    model = Autoencoder("variational", latent=LATENT, seed=seed, threads=1).fit(fitted)
    return model, np.asarray(model.generate(MAX_SAMPLES, seed=seed).to_array())


def pythae(fitted: Pictures, seed: int, seconds: float) -> Pictures:
    """Return images of pythae's variational autoencoder and its sampler of a Gaussian mixture.

    Args:
        fitted: images to fit.
        seed: of everything.
        seconds: CPU time of the training.
    """
    from pythae.models import VAE, VAEConfig
    from pythae.samplers import GaussianMixtureSampler, GaussianMixtureSamplerConfig

    data = to_tensor(fitted)
    with forked_rng(seed):
        model = VAE(VAEConfig(input_dim=tuple(data.shape[1:]), latent_dim=LATENT))
        optimizer = torch.optim.Adam(model.parameters(), 1e-3)
        began = time.process_time()
        while time.process_time() - began < seconds:
            for rows in torch.randperm(len(data)).split(BATCH):
                optimizer.zero_grad()
                model({"data": data[rows]}).loss.backward()
                optimizer.step()
        sampler = GaussianMixtureSampler(model.eval(), GaussianMixtureSamplerConfig(n_components=COMPONENTS))
        sampler.fit(data)
        images = sampler.sample(MAX_SAMPLES, batch_size=500, return_gen=True)
    return np.round(255 * images.detach().numpy()[:, 0]).clip(0, 255).astype(np.uint8)


def write_sheet(path: Path, images: Pictures, side: int = 16) -> None:
    """Write the first `side` x `side` images as one."""
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    rows = images[: side**2].reshape(side, side, *images.shape[1:])
    Image.fromarray(np.block([[image for image in row] for row in rows])).save(path)


def run_set(
    name: str, arrays: dict[str, NDArray[Any]], seed: int, options: common.Options
) -> list[dict[str, Any]]:
    """Return one row for each method, and one for real images."""
    random = np.random.default_rng(seed)
    images, tested = arrays["x_train"], arrays["x_test"][:MAX_SAMPLES]
    order = random.permutation(len(images))
    network = train_classifier(
        images[order[:MAX_CLASSIFIED]], arrays["y_train"][order[:MAX_CLASSIFIED]], seed
    )
    fitted, others = images[order[:MAX_TRAINING]], images[order[-MAX_SAMPLES:]]
    expected, limit = features_of(network, tested), float(np.quantile(nearest(tested, fitted), 0.01))

    def judge(method: str, found: Pictures, seconds: float) -> dict[str, Any]:
        if options.pictures is not None:
            write_sheet(options.pictures / f"{name}.{method}.{seed}.png", found)
        return {
            "set": name,
            "seed": seed,
            "method": method,
            "frechet": frechet(features_of(network, found), expected),
            "copies": float((nearest(found, fitted) < limit).mean()),
            "seconds": round(seconds, 1),
        }

    (model, found), seconds = common.timed(ours, fitted, seed)
    rows = [judge("real", others, 0.0), judge(common.OURS, found, seconds)]
    rows[-1]["bits_per_pixel"] = bits_per_pixel(model, tested, seed)
    if PEER in options.peers:
        found, spent = common.timed(pythae, fitted, seed, seconds)
        rows.append(judge(PEER, found, spent))
    return rows


def averages(rows: Sequence[dict[str, Any]], method: str) -> dict[str, Any]:
    """Return the mean of each measure of a method."""
    own = [row for row in rows if row["method"] == method]
    names = [n for n in ("frechet", "copies", "seconds", "bits_per_pixel") if own and n in own[0]]
    return {n: common.mean(row[n] for row in own) for n in names}


def main(arguments: Sequence[str] | None = None) -> None:
    options = common.parse(
        arguments, description=CLAIM, known_peers=(PEER,), default_peers=(PEER,), has_plots=True
    )
    torch.set_num_threads(1)
    rows: list[dict[str, Any]] = []
    for name, path in common.find_sets(options.data, ".npz", options.sets).items():
        arrays = common.read_npz(path)
        if not {"x_train", "y_train", "x_test"} <= arrays.keys():
            continue
        for seed in range(options.seeds):
            rows += run_set(name, arrays, seed, options)
    if not rows:
        common.skip("no set with x_train, y_train and x_test")
    measured = averages(rows, common.OURS)
    peers = {m: averages(rows, m) for m in ("real", *options.peers)}
    if PEER in peers:
        measured["frechet_ratio"] = measured["frechet"] / peers[PEER]["frechet"]
    names = ("method", "set", "seed", "frechet", "copies", "bits_per_pixel", "seconds")
    common.print_table(names, [[row.get(name) for name in names] for row in rows])
    common.write_result(
        options.json,
        claim=CLAIM,
        protocol=PROTOCOL,
        seeds=options.seeds,
        rows=rows,
        mean=measured,
        peers=peers,
    )


if __name__ == "__main__":
    main()
