"""A run in TensorBoard and in Weights & Biases, where that was asked for.

Both get what the run's folder holds: the lines of metrics.jsonl, the pictures of samples, the
options and at the end the curves. So nothing of a run depends on where it is logged. A log that
fails is given up with a warning, and training goes on.
"""

import json
import os
import secrets
import shlex
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from operator import itemgetter
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, TypeAlias

import numpy as np
from PIL import Image

from jaxgan.experiment.base import BaseExperiment
from jaxgan.options import flat, to_dict
from jaxgan.runs.pictures import samples_of
from jaxgan.runs.writing import write_text
from jaxgan.training.loop import Reporter

PACKAGES = {"tensorboard": "tensorboardX", "wandb": "wandb"}
"""By where a run can be logged, which is also the name of the extra and of a folder in the run's,
the package for it."""
FINISH_SECONDS = 60.0
"""How long the end of a run waits for what is not uploaded to Weights & Biases yet."""


def check(log: Sequence[str]) -> None:
    """Refuses logs that cannot be written here.

    Raises:
      ValueError: for an unknown name, a package that is not installed, or a missing API key.
    """
    if not set(log) <= PACKAGES.keys():
        raise ValueError(f"log must be a tuple of names out of {', '.join(PACKAGES)}, not {log!r}")
    for name in log:
        if find_spec(PACKAGES[name]) is None:
            raise ValueError(
                f"logging to {name} needs {PACKAGES[name]}, which comes with the extra `{name}`: "
                f"pip install 'jaxgan[{name}]'"
            )
    if "wandb" in log:
        _check_login()


def _check_login() -> None:
    import wandb

    try:
        online = wandb.setup().settings.mode not in ("offline", "disabled")
        known = not online or wandb.login(prompt=False, verify=False)
    except wandb.Error as error:
        raise ValueError(f"Weights & Biases: {error}") from error
    if not known:
        raise ValueError(
            "Weights & Biases finds no API key: log in once with `wandb login`, set WANDB_API_KEY, "
            "or keep the logs in the run's folder with WANDB_MODE=offline"
        )


def logged_before(directory: Path) -> tuple[str, ...]:
    """Where a run was logged so far."""
    return tuple(name for name in PACKAGES if (directory / name).is_dir())


class Logs:
    """A `Reporter` that tells another one all it hears, and logs the run; a context manager.

    Args:
      reporter: the other one.
      directory: of the run.
    """

    def __init__(self, reporter: Reporter, directory: Path) -> None:
        self._reporter, self._directory = reporter, directory
        self._followers: list[_Follower] = []

    def begin(self, log: Sequence[str], experiment: BaseExperiment, step: int) -> None:
        """Opens logs, and says where they are.

        Args:
          log: where to log.
          experiment: of the run.
          step: where it goes on. A log that is new gets all that came before too.
        """
        before = logged_before(self._directory)
        for name in log:
            since = step if name in before else 0
            follower = _Follower(name, self._directory, experiment, since)
            self._followers.append(follower)
            if follower.writer is not None:
                self.say(follower.writer.place)

    def step(self, step: int) -> None:
        self._reporter.step(step)

    def log(self, step: int, scalars: dict[str, float]) -> None:
        self._reporter.log(step, scalars)
        for follower in self._followers:
            follower.send()

    def say(self, message: str) -> None:
        self._reporter.say(message)

    def __enter__(self) -> "Logs":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for follower in self._followers:
            follower.end(failed=error is not None)


_Entry: TypeAlias = tuple[int, dict[str, float], dict[str, Path]]
"""A step, and what was added of it: scalars and pictures by name."""


class _Writer(Protocol):
    """A log that is open.

    Attributes:
      place: where a person finds it.
    """

    place: str

    def __init__(self, directory: Path, experiment: BaseExperiment, since: int) -> None: ...

    def write(self, step: int, scalars: dict[str, float], pictures: dict[str, Path]) -> None:
        """Adds to the log; steps never fall."""

    def close(self, failed: bool) -> None:
        """Ends the log."""


class _Follower:
    """Writes to one log what is added to a run's folder, until that fails.

    Args:
      name: of the log.
      directory: of the run.
      experiment: of the run.
      since: the first step that is written; what the log has of it and later is superseded.

    Attributes:
      writer: None once it has failed.
    """

    def __init__(self, name: str, directory: Path, experiment: BaseExperiment, since: int) -> None:
        self._name, self._directory, self._since = name, directory, since
        self._last, self._pictured, self._read = since, since - 1, 0
        self.writer: _Writer | None = None
        with self._giving_up():
            self.writer = _WRITERS[name](directory, experiment, since)

    def send(self) -> None:
        """Writes what was added."""
        if self.writer is None:
            return
        with self._giving_up():
            for entry in sorted([*self._lines(), *self._pictures()], key=itemgetter(0)):
                self.writer.write(*entry)
                self._last = entry[0]

    def end(self, failed: bool) -> None:
        """Writes the rest and the curves, and closes the log."""
        self.send()
        if self.writer is None:
            return
        with self._giving_up():
            curves = self._directory / "curves.png"
            if curves.exists() and not failed:
                self.writer.write(self._last, {}, {"curves": curves})
            self.writer.close(failed)

    def _lines(self) -> Iterator[_Entry]:
        path = self._directory / "metrics.jsonl"
        if not path.exists():
            return
        with path.open() as file:
            file.seek(self._read)
            lines = [json.loads(text) for text in file.readlines()]
            self._read = file.tell()
        for line in lines:
            step = line.pop("step")
            if step >= self._since:
                yield step, line, {}

    def _pictures(self) -> Iterator[_Entry]:
        named = [(path.stem.removeprefix("step_"), path) for path in samples_of(self._directory)]
        found = {int(number): path for number, path in named if number.isdecimal()}
        for step in sorted(step for step in found if step > self._pictured):
            yield step, {}, {"samples": found[step]}
            self._pictured = step

    @contextmanager
    def _giving_up(self) -> Iterator[None]:
        """Ends the log, and not the run, at an error."""
        try:
            yield
        except Exception as error:
            writer, self.writer = self.writer, None
            if writer is not None:
                with suppress(Exception):
                    writer.close(failed=True)
            reason = " ".join(str(error).split())
            warnings.warn(
                f"logging to {self._name} failed ({reason}); training goes on without", stacklevel=2
            )


class _TensorBoard:
    """Event files in the run's `tensorboard/`, one each time it begins or goes on.

    They are written at once. tensorboardX's `SummaryWriter` leaves that to a thread, which a full
    disk ends; after ten more entries the training would wait for it forever.
    """

    def __init__(self, directory: Path, experiment: BaseExperiment, since: int) -> None:
        from tensorboardX.proto.event_pb2 import SessionLog
        from tensorboardX.record_writer import RecordWriter
        from tensorboardX.summary import hparams

        folder = directory / "tensorboard"
        folder.mkdir(exist_ok=True)
        self.place = f"TensorBoard: tensorboard --logdir {shlex.quote(str(folder))}"
        # TensorBoard reads files of such names in their order.
        self._file = RecordWriter(str(folder / f"events.out.tfevents.{time.time_ns()}"))
        self._add(0, file_version="brain.Event:2")
        # What an earlier file has from this step on is hidden.
        self._add(since, session_log=SessionLog(status=SessionLog.START))
        options = {
            name: value if isinstance(value, int | float) else str(value)
            for name, value in flat(to_dict(experiment)).items()
        }
        metrics = {experiment.best_metric: 0.0} if experiment.best_metric else {}
        for summary in hparams(options, metrics)[:2]:  # The third says that the run has ended.
            self._add(0, summary=summary)
        self._file.flush()

    def write(self, step: int, scalars: dict[str, float], pictures: dict[str, Path]) -> None:
        from tensorboardX.summary import image, scalar

        for name, value in scalars.items():
            self._add(step, summary=scalar(name, value))
        for name, path in pictures.items():
            pixels = np.asarray(Image.open(path).convert("RGB"))
            self._add(step, summary=image(name, pixels, dataformats="HWC"))
        self._file.flush()

    def close(self, failed: bool) -> None:
        self._file.close()

    def _add(self, step: int, **what: Any) -> None:
        from tensorboardX.proto.event_pb2 import Event

        event = Event(wall_time=time.time(), step=step, **what)
        self._file.write(event.SerializeToString())


class _WeightsAndBiases:
    """A run at Weights & Biases, or offline one in the run's `wandb/`, where its id is kept.

    Nothing can be superseded there. What a resumed run repeats is the same, and is left out.
    """

    def __init__(self, directory: Path, experiment: BaseExperiment, since: int) -> None:
        import wandb

        kept = directory / "wandb" / "id"
        if not kept.exists():
            kept.parent.mkdir(exist_ok=True)
            write_text(kept, secrets.token_hex(4) + "\n")
        settings = wandb.Settings(console="off", quiet=True)  # No copy of the terminal's lines.
        if not wandb.setup().settings.finish_timeout:
            settings.finish_timeout = FINISH_SECONDS
        self._run = wandb.init(
            dir=directory.resolve(),
            id=kept.read_text().strip(),
            resume="allow",
            name=os.environ.get("WANDB_NAME") or f"{experiment.name} {directory.resolve().name}",
            config=to_dict(experiment),
            reinit="create_new",  # Beside one that a notebook may have.
            settings=settings,
        )
        if self._run.offline:
            folder = shlex.quote(self._run.settings.sync_dir)
            self.place = f"Weights & Biases: offline; send it there with: wandb sync {folder}"
        else:
            self.place = f"Weights & Biases: {self._run.url or 'disabled by WANDB_MODE'}"

    def write(self, step: int, scalars: dict[str, float], pictures: dict[str, Path]) -> None:
        import wandb

        if step >= self._run.starting_step:
            images = {name: wandb.Image(str(path)) for name, path in pictures.items()}
            self._run.log(scalars | images, step=step)

    def close(self, failed: bool) -> None:
        self._run.finish(exit_code=int(failed))


_WRITERS: dict[str, type[_Writer]] = {"tensorboard": _TensorBoard, "wandb": _WeightsAndBiases}
