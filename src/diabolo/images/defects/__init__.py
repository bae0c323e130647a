"""Anomalous images, and where they are anomalous: maps of patches, layouts of wholes, and a joint score."""
