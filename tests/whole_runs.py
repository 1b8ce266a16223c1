"""What tests of whole processes compare."""

from pathlib import Path

from jaxgan.runs import record
from jaxgan.runs.log import digest
from jaxgan.training.checkpoints import Checkpoints
from jaxgan.training.trainer import make_trainer

Left = tuple[dict[str, bytes], dict[int, str], int | None]


def left_by(folder: Path) -> Left:
    """The bytes of all that a run is to repeat, digests of its kept states, and its best step."""
    experiment, _ = record.read(folder)
    paths = [folder / "metrics.jsonl", folder / "curves.png", folder / "digests.json"]
    paths += sorted((folder / "samples").iterdir())
    files = {str(path.relative_to(folder)): path.read_bytes() for path in paths}
    trainer = make_trainer(experiment)
    with Checkpoints(
        folder / "checkpoints",
        trainer.expected,
        higher_is_better=trainer.higher_is_better,
        read_only=True,
    ) as checkpoints:
        steps = {step: digest(checkpoints.restore(step)[1]) for step in checkpoints.steps()}
        return files, steps, checkpoints.best_step()
