"""Models of images beside the networks; an image is (height, width, channels), from 0 to 1."""
