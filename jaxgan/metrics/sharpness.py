"""How sharp images are: blurred ones have lost their edges, whatever a Fréchet distance says.

The figure needs no classifier and no reference, and says nothing but beside real images of
the same data: noise is sharper than any photograph.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from jaxgan.degrade import LUMA


def laplacian_variance(images: ArrayLike) -> NDArray[np.float32]:
    """The variance over the pixels of each image's Laplacian, of grey levels from 0 to 255.

    The Laplacian is the sum of a pixel's four neighbours less four times the pixel; beyond the
    border images are mirrored about their last pixels. These are the conventions of OpenCV
    (`cv2.Laplacian(grey, cv2.CV_64F).var()`), where the measure is usually taken.

    Args:
      images: uint8 `[N, H, W, C]`. Three channels are red, green and blue; of any other number the
        mean is taken.

    Returns:
      float32 `[N]`, in squared grey levels.

    Raises:
      ValueError: if the images are not as said.

    References:
      Pech-Pacheco et al., Diatom autofocusing in brightfield microscopy, 2000.
    """
    images = np.asarray(images)
    if images.dtype != np.uint8 or images.ndim != 4 or 0 in images.shape[1:]:
        raise ValueError(
            f"images must be uint8 [N, H, W, C], not {images.dtype} {list(images.shape)}"
        )
    grey = (
        images @ np.array(LUMA, np.float32)
        if images.shape[3] == 3
        else images.mean(axis=3, dtype=np.float32)
    )
    padded = np.pad(grey, ((0, 0), (1, 1), (1, 1)), "reflect")
    rows = padded[:, :-2, 1:-1] + padded[:, 2:, 1:-1]
    columns = padded[:, 1:-1, :-2] + padded[:, 1:-1, 2:]
    return (rows + columns - 4 * grey).var(axis=(1, 2))
