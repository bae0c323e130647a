"""Images beside the networks: denoising, anomalies, recognition; an image is (height, width, channels), 0 to 1."""
