"""Recognition: which images show the same person or thing."""
