"""Writes the images of an .npz file as a folder, of which some are held out for testing.

    python -m benchmarks.held_out emoji64.npz emoji --test 200

Makes `FOLDER/train/*.png` and `FOLDER/test/*.png`, as `jaxgan train --data FOLDER` reads them. The
images that are held out are the same every time. Those that an array `skin_variant` marks are left
out of both: they are other images in another colour, and would be in both halves.
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path, help=".npz with images, uint8 [N, H, W] or [N, H, W, C]")
    parser.add_argument("folder", type=Path, help="folder to make")
    parser.add_argument("--test", type=int, default=200, help="images that are held out")
    options = parser.parse_args()
    with np.load(options.file) as arrays:
        images = arrays["images"]
        if "skin_variant" in arrays:
            images = images[arrays["skin_variant"] == 0]
    if not 0 < options.test < len(images):
        raise SystemExit(f"--test must lie between 1 and {len(images) - 1}, not {options.test}")
    order = np.random.default_rng(0).permutation(len(images))
    for split, rows in (("test", order[: options.test]), ("train", order[options.test :])):
        folder = options.folder / split
        folder.mkdir(parents=True)
        for row in rows:
            image = images[row]
            Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image).save(
                folder / f"{row:05}.png"
            )
        print(f"{folder}: {len(rows)} images")


if __name__ == "__main__":
    main()
