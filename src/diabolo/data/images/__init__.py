"""Images in files, bytes and arrays of any size: read, reduced to one size, and written back as they were."""

from diabolo.data.images.decoding import DecodedImage, decode, image_size
from diabolo.data.images.encoding import encode, save_images
from diabolo.data.images.folder import is_image_path, read_image_folder
from diabolo.data.images.reduction import find_encoded_images, read_at_size, working_shape
from diabolo.data.images.sequence import ImageSequence, PixelRange

__all__ = [
    "DecodedImage",
    "ImageSequence",
    "PixelRange",
    "decode",
    "encode",
    "find_encoded_images",
    "image_size",
    "is_image_path",
    "read_at_size",
    "read_image_folder",
    "save_images",
    "working_shape",
]
