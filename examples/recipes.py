"""Compare recipes: the reconstruction error of each, and how well it detects injected errors.

python examples/recipes.py
"""

import numpy as np

from diabolo import Autoencoder, Member, Noise, Variational

rng = np.random.default_rng(0)
angle = rng.uniform(0, 2 * np.pi, 3000)
circle = np.stack([np.cos(angle), np.sin(angle), np.cos(2 * angle), angle / 3], 1)
circle += 0.05 * rng.normal(size=circle.shape)
known, new = circle[:2000], circle[2000:]
wrong = new.copy()
wrong[np.arange(len(wrong)), rng.integers(0, 4, len(wrong))] += rng.choice([-0.3, 0.3], len(wrong))

kinds = {name: Autoencoder(name) for name in ("vanilla", "variational", "denoising", "masked", "default")}
kinds["vanilla, latent 2"] = Autoencoder("vanilla", latent=2)
kinds["my own"] = Autoencoder(members={"mine": Member(Noise(0.1), Variational(2, beta=0.1), layers=(64, 64))})

print(f"{'recipe':20} {'reconstruction error':>24} {'anomalies above 95 % of normal rows':>36}")
for name, model in kinds.items():
    model.fit(known)
    restored = np.stack([c.to_numpy() for c in model.reconstruct(new).to_arrow().columns], 1)
    error = float(np.sqrt(((restored - new) ** 2).mean()))
    found = (model.anomaly_score(wrong) > np.quantile(model.anomaly_score(new), 0.95)).mean()
    print(f"{name:20} {error:24.3f} {found:36.1%}")
