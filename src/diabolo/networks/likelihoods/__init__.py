"""The distributions that a cell can have. Each has log_prob, mode, mean, median, sample, cdf and icdf."""

from diabolo.networks.likelihoods.binned import Binned, Bins
from diabolo.networks.likelihoods.categorical import Categorical
from diabolo.networks.likelihoods.normal import Normal

LIKELIHOODS = (Normal, Binned, Categorical)

__all__ = ["LIKELIHOODS", "Binned", "Bins", "Categorical", "Normal"]
