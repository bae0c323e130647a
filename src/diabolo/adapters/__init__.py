"""Adapters that run diabolo inside other frameworks, such as PyTorch Lightning."""
