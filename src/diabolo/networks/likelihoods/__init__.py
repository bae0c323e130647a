"""Distributions of a cell, with log_prob, mode, mean, median, sample, cdf and icdf; and their `log_mass`."""

from diabolo.networks.likelihoods.binned import Binned, Bins
from diabolo.networks.likelihoods.categorical import Categorical
from diabolo.networks.likelihoods.log_mass import log_mass
from diabolo.networks.likelihoods.normal import Normal

LIKELIHOODS = (Normal, Binned, Categorical)

__all__ = ["LIKELIHOODS", "Binned", "Bins", "Categorical", "Normal", "log_mass"]
