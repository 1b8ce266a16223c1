"""Does this library's bicubic baseline score what papers on super-resolution say of theirs?

    python -m benchmarks.bicubic set5 set14 [--factor 4]

A folder holds images. Each is cut to sides that the factor divides, made smaller by it and larger
again, both rounded to bytes, and compared by its Y without as many pixels of the border as the
factor is. Prints the mean over a folder. Published for a factor of 4: Set5 28.42 dB and .810, Set14
26.00 dB and .703.
"""

import argparse
from pathlib import Path

import jax.numpy as jnp
import numpy as np
from PIL import Image

from jaxgan import degrade
from jaxgan.data.minibatch import to_float
from jaxgan.imaging import to_uint8
from jaxgan.metrics import psnr, ssim
from jaxgan.metrics.similarity import luminance


def read(path: Path, factor: int) -> np.ndarray:
    """An image, uint8 `[1, H, W, C]`, cut at the lower right to sides that the factor divides."""
    with Image.open(path) as picture:
        image = np.asarray(picture if picture.mode == "L" else picture.convert("RGB"))
    height, width = (side // factor * factor for side in image.shape[:2])
    return image.reshape(1, *image.shape[:2], -1)[:, :height, :width]


def scores(truth: np.ndarray, factor: int) -> tuple[float, float]:
    """PSNR in dB and SSIM of an image that was made smaller and larger again."""
    small = degrade.downscale(to_float(jnp.asarray(truth)), factor)
    again = to_uint8(degrade.upscale(small, factor))
    pair = luminance(again, factor), luminance(truth, factor)
    return float(psnr(*pair)[0]), float(ssim(*pair)[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--factor", type=int, default=4)
    options = parser.parse_args()
    print("| set | images | PSNR dB | SSIM |")
    print("|---|---|---|---|")
    for folder in options.folders:
        paths = sorted(p for p in folder.iterdir() if p.suffix.lower() in (".png", ".bmp"))
        if not paths:
            raise SystemExit(f"{folder} holds no PNG or BMP images")
        found = [scores(read(path, options.factor), options.factor) for path in paths]
        ratio, similarity = np.mean(found, axis=0)
        print(f"| {folder.name} | {len(found)} | {ratio:.2f} | {similarity:.3f} |", flush=True)


if __name__ == "__main__":
    main()
