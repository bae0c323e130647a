"""One model file: writing, reading, and the validation of files from elsewhere."""
