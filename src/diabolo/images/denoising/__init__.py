"""Removing the noise of images: learnt from clean images, from noisy ones, or from one image alone."""

from diabolo.images.denoising.alone import denoise_alone
from diabolo.images.denoising.denoiser import Denoiser
from diabolo.images.denoising.noise import estimate_noise
from diabolo.images.denoising.noise_level import NoiseLevel

__all__ = ["Denoiser", "NoiseLevel", "denoise_alone", "estimate_noise"]
