"""Images in a report: cards, sheets, reconstructions, and how a denoiser changes them."""
