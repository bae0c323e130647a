"""Synthetic rows and series: samplers, their conditions, and the latent distributions that they draw from."""
