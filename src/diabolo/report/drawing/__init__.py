"""Drawings as SVG and PNG, made from numbers and texts; they know no models."""
