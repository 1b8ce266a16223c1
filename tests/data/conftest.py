"""A cache of its own for every test, and small images and data sets on disk."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture(autouse=True)
def cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "own-cache"
    monkeypatch.setenv("JAXGAN_CACHE", str(folder))
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "no-data-sets"))
    return folder


@pytest.fixture
def random_image() -> Callable[..., np.ndarray]:
    """Draws uint8 [height, width, 3], or [height, width] when grey."""

    def draw(height: int, width: int, *, grey: bool = False, seed: int = 0) -> np.ndarray:
        shape = (height, width) if grey else (height, width, 3)
        return np.random.default_rng(seed).integers(256, size=shape, dtype=np.uint8)

    return draw


def png(array: np.ndarray) -> io.BytesIO:
    file = io.BytesIO()
    Image.fromarray(array).save(file, "PNG")
    file.seek(0)
    return file


@pytest.fixture(scope="session")
def two_domains_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A prepared set with the splits and features of all that TFDS has in cycle_gan.

    Grey 30 and label 0 are of domain A, grey 200 and label 1 of domain B, images of any size.
    """
    import tensorflow_datasets as tfds

    tfds.disable_progress_bar()

    class TwoDomains(tfds.core.GeneratorBasedBuilder):
        VERSION = tfds.core.Version("3.0.0")
        BUILDER_CONFIGS = [tfds.core.BuilderConfig(name="tiny_pair")]  # noqa: RUF012

        def _info(self) -> tfds.core.DatasetInfo:
            features = tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Image(),
                    "label": tfds.features.ClassLabel(names=["A", "B"]),
                }
            )
            return tfds.core.DatasetInfo(builder=self, features=features)

        def _split_generators(self, dl_manager: object) -> dict:
            counts = {"trainA": 3, "trainB": 4, "testA": 1, "testB": 2}
            return {split: self._generate_examples(split, n) for split, n in counts.items()}

        def _generate_examples(self, split: str, count: int):
            label, tone = (0, 30) if split.endswith("A") else (1, 200)
            for i in range(count):
                yield i, {"image": png(np.full((16 + i, 20, 3), tone, np.uint8)), "label": label}

    folder = tmp_path_factory.mktemp("cycle-gan")
    builder = TwoDomains(config="tiny_pair", data_dir=folder, file_format="array_record")
    builder.download_and_prepare()
    return folder


@pytest.fixture(scope="session")
def tfds_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Prepared array_record sets, written without TensorFlow: TFDS keeps encoded images as is.

    `tiny` has images of 4 x 6 whose pixels are 10 times their label, `tones/light` and
    `tones/dark` are unlabelled and of any size.
    """
    import tensorflow_datasets as tfds

    tfds.disable_progress_bar()
    features = tfds.features

    class Tiny(tfds.core.GeneratorBasedBuilder):
        VERSION = tfds.core.Version("1.2.0")

        def _info(self) -> tfds.core.DatasetInfo:
            label = features.ClassLabel(names=["a", "b", "c"])
            image = features.Image(shape=(4, 6, 1))
            return tfds.core.DatasetInfo(
                builder=self, features=features.FeaturesDict({"image": image, "label": label})
            )

        def _split_generators(self, dl_manager: object) -> dict:
            return {"train": self._generate_examples(6), "test": self._generate_examples(3)}

        def _generate_examples(self, count: int):
            for i in range(count):
                image = np.full((4, 6), 10 * (i % 3), np.uint8)
                yield i, {"image": png(image), "label": i % 3}

    class Tones(tfds.core.GeneratorBasedBuilder):
        VERSION = tfds.core.Version("2.0.0")
        BUILDER_CONFIGS = [  # noqa: RUF012
            tfds.core.BuilderConfig(name="light"),
            tfds.core.BuilderConfig(name="dark"),
        ]

        def _info(self) -> tfds.core.DatasetInfo:
            image = features.Image(shape=(None, None, 3))
            return tfds.core.DatasetInfo(
                builder=self, features=features.FeaturesDict({"picture": image})
            )

        def _split_generators(self, dl_manager: object) -> dict:
            return {"train": self._generate_examples()}

        def _generate_examples(self):
            tone = 200 if self.builder_config.name == "light" else 20
            for i in (5, 9):
                yield i, {"picture": png(np.full((i, 8, 3), tone, np.uint8))}

    folder = tmp_path_factory.mktemp("data-sets")
    Tiny(data_dir=folder, file_format="array_record").download_and_prepare()
    for config in ("light", "dark"):
        tones = Tones(config=config, data_dir=folder, file_format="array_record")
        tones.download_and_prepare()
    return folder
