"""`jaxgan verify`: a run's first steps, repeated from its key."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from jaxgan.cli.choosing import parse_with_places
from jaxgan.working import working

if TYPE_CHECKING:  # At run time a command imports what it needs and no more.
    from jaxgan.training.state import TrainingState
    from jaxgan.training.trainer import Trainer


@dataclass(frozen=True, kw_only=True)
class VerifyOptions:
    run: Annotated[Path, tyro.conf.Positional]
    """Run directory."""
    steps: int = 100
    """Repeat at most this many steps."""


def verify(args: list[str]) -> int:
    """`jaxgan verify RUN`: exit code 0 when all digests agree, 1 when one differs."""
    from jaxgan.devices.compilation import kept_programs
    from jaxgan.options import differences
    from jaxgan.runs.data import check_data, pointed_to, recorded_identities
    from jaxgan.runs.log import read_digests
    from jaxgan.runs.record import environment, read
    from jaxgan.training import warm
    from jaxgan.training.trainer import make_trainer

    says = "Repeats a run's first steps from its key. Exit code 1: the parameters differ."
    options, places = parse_with_places(VerifyOptions, args, "verify", says)
    experiment, record = read(options.run)
    recorded = {int(step): digest for step, digest in read_digests(options.run).items()}
    chosen = sorted(step for step in recorded if step <= options.steps)
    if not chosen:
        raise ValueError(
            f"{options.run} recorded no digest within {options.steps} steps; it has digests "
            f"after steps: {sorted(recorded) or 'none'}"
        )
    known = recorded_identities(options.run, record)
    trainer = make_trainer(pointed_to(options.run, experiment, known and all(known), places))
    check_data(options.run, record, [program.source for program in trainer.programs])
    with kept_programs(options.run), working("repeating the first steps"):
        start = warm.restore(options.run, record, trainer)
        differs = _first_difference(trainer, start, {step: recorded[step] for step in chosen})
    if differs is not None:
        now = environment()
        changed = differences({name: record.get(name) for name in now}, now)
        reasons = [f"{name} was {old}, is {new}" for name, old, new in changed]
        print(f"parameters differ after step {differs}; {'; '.join(reasons) or 'same device'}")
        return 1
    print(f"parameters agree to the bit after steps {', '.join(map(str, chosen))}")
    return 0


def _first_difference(
    trainer: "Trainer", state: "TrainingState | None", digests: dict[int, str]
) -> int | None:
    """Trains from the start; returns the first step whose parameters have another digest.

    Args:
      trainer: of the run.
      state: that a warm start begins with, else None.
      digests: recorded, by step.
    """
    from jaxgan.runs.log import digest

    for step in range(max(digests)):
        program = trainer.at(step)
        if step == program.place.first:
            program.compile(True)
            if step or state is None:
                state = program.start(state)
        assert state is not None  # The first phase begins at step 0.
        state, _ = program.steps(state, step, 1)
        if step + 1 in digests and digest(state.params) != digests[step + 1]:
            return step + 1
    return None
