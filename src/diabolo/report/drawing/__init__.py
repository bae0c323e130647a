"""Drawings as plain SVG and PNG; they know figures and words, no models."""
