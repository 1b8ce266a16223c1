"""The loop on a tiny experiment: what it writes, how it stops, and that it resumes to the bit."""

import dataclasses
import re
import resource
import shutil
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.evaluation import Evaluator
from jaxgan.experiment import DiscriminatorOptions, Experiment, GeneratorOptions
from jaxgan.runs import record
from jaxgan.runs.log import append_metrics, digest, read_digests, read_metrics
from jaxgan.training import loop
from jaxgan.training.checkpoints import Checkpoints
from jaxgan.training.loop import Diverged, Halted, owes_evaluation, train
from jaxgan.training.trainer import make_trainer

pytestmark = pytest.mark.usefixtures("optimised", "undrawn")
TINY = Experiment(
    name="tiny",
    steps=4,
    batch_size=8,
    generator=GeneratorOptions(family="mlp", width=8, depth=1, latent_size=4),
    discriminator=DiscriminatorOptions(family="mlp", width=8, depth=1, normalization="none"),
    log_every=1,
    sample_every=2,
    checkpoint_every=2,
    best_metric="generator_loss",
)


class Recorder:
    """A reporter that remembers, and may act after a step."""

    def __init__(self, after=None):
        self.steps, self.logged, self.said = [], {}, []
        self.after = after or {}

    def step(self, step):
        self.steps.append(step)
        self.after.get(step, lambda: None)()

    def log(self, step, scalars):
        self.logged[step] = scalars

    def say(self, message):
        self.said.append(message)


@pytest.fixture(scope="module")
def trainer():
    return make_trainer(TINY)


def rescheduled(trainer, **changes):
    """A trainer with another schedule: its programs stay, and nothing is compiled anew."""
    (program,), experiment = trainer.programs, dataclasses.replace(trainer.experiment, **changes)
    place = program.place._replace(last=experiment.steps)
    program = program._replace(experiment=experiment, place=place)
    return trainer._replace(experiment=experiment, programs=(program,))


def start(folder, trainer, after=None, **changes):
    """Starts or resumes a run, of which changes concern the schedule."""
    trainer = rescheduled(trainer, **changes)
    if not folder.exists():
        # Of the library's class: a class of a test could not be found again from the record.
        recorded = dataclasses.replace(TINY, log_every=trainer.experiment.log_every)
        record.create(folder, recorded, [program.source.spec for program in trainer.programs])
    recorder = Recorder(after)
    return train(trainer, folder, recorder), recorder


def saved(folder, trainer):
    """A run's checkpoints, to look at."""
    return Checkpoints(
        folder / "checkpoints",
        trainer.expected,
        higher_is_better=trainer.higher_is_better,
        read_only=True,
    )


def written(folder):
    """All that a run is to repeat to the bit, by name."""
    paths = [folder / name for name in ("metrics.jsonl", "curves.png", "digests.json")]
    paths += (folder / "samples").iterdir()
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


@pytest.fixture(scope="module")
def uninterrupted(trainer, tmp_path_factory):
    folder = tmp_path_factory.mktemp("uninterrupted") / "run"
    state, recorder = start(folder, trainer)
    return digest(state), written(folder), folder, recorder


def test_what_a_run_leaves(uninterrupted, trainer):
    _, files, folder, recorder = uninterrupted
    assert set(files) == {
        "metrics.jsonl",
        "curves.png",
        "digests.json",
        "samples/step_000002.png",
        "samples/step_000004.png",
    }
    lines = read_metrics(folder)
    varieties = [line for line in lines if "diversity" in line]
    lines = [line for line in lines if "diversity" not in line]
    assert [line["step"] for line in varieties] == [2, 4]
    assert all(set(line) == {"step", "diversity", "duplicate_rate"} for line in varieties)
    assert [line["step"] for line in lines] == [1, 2, 3, 4]
    assert [line["images_seen"] for line in lines] == [8, 16, 24, 32]
    names = {"images_seen", *trainer.programs[0].scalar_names}
    assert all(set(line) == {"step"} | names for line in lines)
    assert recorder.steps == [1, 2, 3, 4]
    assert recorder.logged[3] == {name: lines[2][name] for name in names}
    with saved(folder, trainer) as checkpoints:
        assert checkpoints.steps() == [2, 4]
        best = min((2, 4), key=lambda step: lines[step - 1]["generator_loss"])
        assert checkpoints.best_step() == best


def test_resumes_to_the_bit(uninterrupted, trainer, tmp_path):
    expected, files, _, _ = uninterrupted
    folder = tmp_path / "run"
    start(folder, trainer, steps=2)
    append_metrics(folder, {"step": 3, "generator_loss": 0.0})  # Of a step not saved.
    with (folder / "metrics.jsonl").open("a") as file:
        file.write('{"step": 4, "gen')  # Cut short by a kill.
    state, recorder = start(folder, trainer)
    assert recorder.steps == [3, 4]
    assert recorder.said == [f"resuming {folder} from step 2"]
    assert digest(state) == expected
    assert written(folder) == files


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_saves_and_the_resumed_run_is_the_same(uninterrupted, trainer, tmp_path, number):
    expected, files, _, _ = uninterrupted
    inherited = signal.signal(number, signal.SIG_DFL)  # These tests may run under nohup.
    folder = tmp_path / "my run"  # Its hint can be pasted into a shell.
    before = signal.getsignal(number)
    _, recorder = start(folder, trainer, after={3: lambda: signal.raise_signal(number)})
    assert recorder.steps == [1, 2, 3]
    assert recorder.said == [
        f"stopped at step 3 of 4 and saved; go on with: jaxgan resume '{folder}'"
    ]
    assert signal.getsignal(number) is before
    signal.signal(number, inherited)
    with saved(folder, trainer) as checkpoints:
        assert checkpoints.steps() == [2, 3]
        assert checkpoints.best_step() == 2, "a checkpoint off schedule was ranked"
    state, recorder = start(folder, trainer)
    assert recorder.steps == [4]
    assert digest(state) == expected
    assert written(folder) == files


# After these steps there is something to do: a digest after 1 and 10, a log line after every 3rd, a
# checkpoint after every 4th, samples after the 6th and 12th.
MANY = {"steps": 12, "log_every": 3, "sample_every": 6, "checkpoint_every": 4}
ENDS = [1, 3, 4, 6, 8, 9, 10, 12]


@pytest.fixture(scope="module")
def one_a_call(tmp_path_factory):
    experiment = dataclasses.replace(TINY, steps_per_call=1, **MANY)
    folder = tmp_path_factory.mktemp("one") / "run"
    state, recorder = start(folder, make_trainer(experiment))
    assert recorder.steps == list(range(1, 13))
    return digest(state), written(folder), recorder.logged


def test_calls_of_several_steps_change_no_bit(one_a_call, trainer, tmp_path):
    state, recorder = start(tmp_path / "run", trainer, **MANY)
    assert trainer.programs[0].steps_per_call > 3
    assert recorder.steps == ENDS
    assert (digest(state), written(tmp_path / "run"), recorder.logged) == one_a_call


def test_a_signal_ends_the_run_at_the_end_of_a_call(one_a_call, trainer, tmp_path):
    folder = tmp_path / "run"
    interrupt = {9: lambda: signal.raise_signal(signal.SIGTERM)}
    _, recorder = start(folder, trainer, after=interrupt, **MANY)
    assert recorder.steps[-1] == 9
    state, recorder = start(folder, trainer, **MANY)
    assert recorder.steps == [10, 12]
    assert (digest(state), written(folder)) == one_a_call[:2]


def test_a_second_interrupt_ends_at_once(trainer, tmp_path):
    def twice():
        signal.raise_signal(signal.SIGINT)  # Handled before it returns: two at once may merge.
        signal.raise_signal(signal.SIGINT)

    # A background job starts with SIGINT ignored, which would then be what the second one does.
    inherited = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            start(tmp_path / "run", trainer, after={1: twice})
    finally:
        signal.signal(signal.SIGINT, inherited)
    assert not list((tmp_path / "run" / "checkpoints").iterdir())


def test_trains_in_a_thread_which_gets_no_signals(trainer, tmp_path):
    with ThreadPoolExecutor() as pool:
        _, recorder = pool.submit(start, tmp_path / "run", trainer, steps=1).result()
    assert recorder.steps == [1]


def test_a_damaged_newest_checkpoint_costs_steps_and_no_bits(uninterrupted, trainer, tmp_path):
    expected, files, _, _ = uninterrupted
    folder = tmp_path / "run"
    start(folder, trainer)
    for path in (folder / "checkpoints" / "4" / "record").iterdir():
        path.unlink()
    with pytest.warns(UserWarning, match="checkpoints/4 is damaged and passed over"):
        state, recorder = start(folder, trainer)
    assert recorder.steps == [3, 4]
    assert digest(state) == expected
    assert written(folder) == files


def test_a_finished_run_is_left_as_it_is(uninterrupted, trainer):
    expected, files, folder, _ = uninterrupted
    state, recorder = start(folder, trainer)
    assert recorder.steps == []
    assert digest(state) == expected
    assert written(folder) == files


def test_a_run_without_a_step_left_and_without_a_checkpoint_is_refused(trainer, tmp_path):
    with pytest.raises(ValueError, match="has no checkpoint, and no step is left to train"):
        start(tmp_path / "run", trainer, steps=0)


def test_what_begins_a_resumed_run_comes_after_the_reading_and_before_the_writing(
    trainer, tmp_path
):
    folder, found = tmp_path / "run", []
    start(folder, trainer, steps=2)
    append_metrics(folder, {"step": 3, "generator_loss": 0.0})

    def look(step):
        with pytest.raises(ValueError, match="another process is training"), record.lock(folder):
            pass
        found.append((step, [line["step"] for line in read_metrics(folder)][-1]))

    train(trainer, folder, Recorder(), on_restored=look)
    assert found == [(2, 3)]

    # Where the state cannot be restored, it is not called.
    shutil.rmtree(folder / "checkpoints")
    shutil.copytree(folder / "samples", folder / "checkpoints" / "4")
    before = (folder / "metrics.jsonl").read_bytes()
    with (
        pytest.warns(UserWarning, match="damaged and passed over"),
        pytest.raises(ValueError, match=r"no checkpoint in .* can be read"),
    ):
        train(trainer, folder, Recorder(), on_restored=look)
    assert found == [(2, 3)]
    assert (folder / "metrics.jsonl").read_bytes() == before


def test_one_process_a_run(trainer, tmp_path):
    folder = tmp_path / "run"
    record.create(folder, TINY, [trainer.programs[0].source.spec])
    with record.lock(folder), pytest.raises(ValueError, match="another process is training in"):
        start(folder, trainer)
    assert not (folder / "checkpoints").exists()
    start(folder, trainer, steps=1)


def with_fault(fault, step):
    """TINY with a fault in the generator's turn of one step: `fault(is_it, loss, aux)`."""

    class Faulty(Experiment):
        def make_game(self, spec):
            game = super().make_game(spec)

            def generator_loss(sides, turn):
                loss, aux = game.move("generator").loss(sides, turn)
                return fault(turn.step == step - 1, loss, aux)

            return game.with_loss("generator", generator_loss)

    return Faulty(**vars(TINY) | {"steps": 8})


def test_a_file_that_cannot_grow_ends_the_run_and_harms_no_checkpoint(
    uninterrupted, trainer, tmp_path
):
    """As on a full disk: from step 3 on no file may grow beyond 100 bytes."""
    folder = tmp_path / "my run"
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill():
        while record.newest_step(folder) < 2:
            time.sleep(0.01)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))

    sentence = (
        r"stopped after step \d: File too large; step 2 is saved, go on with: "
        f"jaxgan resume '{folder}'"
    )
    try:
        with pytest.raises(Halted, match=sentence):
            start(folder, trainer, after={3: fill})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    state, _ = start(folder, trainer)
    assert (digest(state), written(folder)) == uninterrupted[:2]


def test_a_checkpoint_without_room_is_not_begun(uninterrupted, trainer, tmp_path, monkeypatch):
    folder = tmp_path / "run"

    def fill():
        usage = shutil.disk_usage(folder)
        monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1000))

    sentence = (
        r"cannot be written to .*: it takes [\d,]+ bytes, and 1,000 are free; step 2 is saved"
    )
    with pytest.raises(Halted, match=sentence):
        start(folder, trainer, after={3: fill})
    monkeypatch.undo()
    assert [path.name for path in (folder / "checkpoints").iterdir()] == ["2"]
    state, _ = start(folder, trainer)
    assert (digest(state), written(folder)) == uninterrupted[:2]


def test_nan_ends_the_run_and_is_never_saved(tmp_path):
    faulty = with_fault(lambda at, loss, aux: (loss * jnp.where(at, jnp.nan, 1), aux), 4)
    trainer, folder = make_trainer(faulty), tmp_path / "run"
    with pytest.raises(Diverged) as caught:
        start(folder, trainer)
    message = str(caught.value)
    assert re.match(r"training diverged at step 4: generator_\w+ is nan; ", message)
    assert "first array that is not finite: sides['generator'].variables.params" in message
    assert message.endswith(f"last good checkpoint: {folder / 'checkpoints' / '2'}")
    lines = read_metrics(folder)
    assert [line["step"] for line in lines if "generator_loss" in line] == [1, 2, 3]
    assert lines[-1] == {"step": 4, "diverged": 1}
    assert [path.name for path in (folder / "checkpoints").iterdir()] == ["2"]
    assert [path.name for path in (folder / "samples").iterdir()] == ["step_000002.png"]
    # Within a call of steps 2 to 8 it is found at its step too.
    rare = {"log_every": 8, "sample_every": 8, "checkpoint_every": 8}
    with pytest.raises(Diverged, match="training diverged at step 4: generator_"):
        start(tmp_path / "rare", trainer, **rare)


def test_infinity_in_the_state_alone_ends_the_run(tmp_path):
    """All scalars are finite: only a look at the arrays finds it, before they are saved."""

    def fault(at, loss, aux):
        state = jax.tree.map(lambda leaf: jnp.where(at, jnp.inf, leaf), aux.state)
        return loss, aux._replace(state=state)

    faulty = with_fault(fault, 2)
    with pytest.raises(Diverged, match=r"at step 2: .*\['generator'\]\.variables\.state.*: none$"):
        start(tmp_path / "run", make_trainer(faulty))
    assert not list((tmp_path / "run" / "checkpoints").iterdir())


@pytest.mark.parametrize("data", ["digits", "ring"])
def test_samples_that_are_no_numbers_end_the_run(tmp_path, data):
    """All of the state is finite, and a layer of the generator overflows on it."""

    class Faulty(Experiment):
        def make_game(self, spec):
            game = super().make_game(spec)
            return game._replace(sample=lambda *inputs: game.sample(*inputs) * jnp.nan)

    faulty = Faulty(**vars(TINY) | {"data": data})
    folder = tmp_path / "run"
    with pytest.raises(Diverged, match=r"at step 2: samples: .* NaN.*: none yet; .*: none$"):
        start(folder, make_trainer(faulty))
    assert read_metrics(folder)[-1] == {"step": 2, "diverged": 1}
    assert not list((folder / "checkpoints").iterdir())


@pytest.mark.parametrize(("metric", "best"), [("frechet", 4), ("smallest_share", 6)])
def test_evaluations_are_logged_and_rank(trainer, tmp_path, metric, best):
    """By the smallest distance or the largest share; what is no number ranks nowhere."""
    qualities = iter([3.0, 1.0, 5.0, float("nan")])
    folder = tmp_path / "run"

    class Measured(Experiment):
        def evaluator(self, source, game, root_key, **options):
            return Evaluator(lambda variables: {metric: next(qualities)}, {})

    ranked = Measured(**vars(TINY) | {"best_metric": metric, "steps": 8, "evaluate_every": 2})
    evaluated = {"frechet": "lower", "smallest_share": "higher"}
    own = trainer._replace(experiment=ranked, evaluated=evaluated)
    _, recorder = start(folder, own)
    lines = [line for line in read_metrics(folder) if metric in line]
    assert [line["step"] for line in lines] == [2, 4, 6, 8]
    assert [line[metric] for line in lines[:3]] == [3, 1, 5]
    assert recorder.said[1] == f"step 4: {metric} 1"
    with saved(folder, own) as checkpoints:
        assert checkpoints.best_step() == best


class Judged(Experiment):
    """Evaluates by a number that stands for minutes of work, at which a signal may come."""

    signals: ClassVar[dict[float, int]] = {}
    done: ClassVar[list[float]] = []

    def evaluator(self, source, game, root_key, **options):
        def measure(variables):
            quality = float(jax.tree.leaves(variables.params)[0].sum())
            if number := self.signals.pop(round(quality, 6), None):
                signal.raise_signal(number)
                pytest.fail("the evaluation went on after the signal")
            self.done.append(quality)
            return {"frechet": quality}

        return Evaluator(measure, {})


def judged(trainer, **changes):
    options = {"best_metric": "frechet", "evaluate_every": 3, "checkpoint_every": 3, "steps": 6}
    experiment = Judged(**vars(TINY) | options | changes)
    return trainer._replace(experiment=experiment, evaluated={"frechet": "lower"})


OFF_SCHEDULE = {"sample_every": 5, "evaluate_every": 5, "checkpoint_every": 2, "log_every": 2}


def events(folder):
    """The steps of a run's pictures and evaluations."""
    pictures = sorted(int(path.stem[-6:]) for path in (folder / "samples").iterdir())
    return pictures, [line["step"] for line in read_metrics(folder) if "frechet" in line]


def test_a_run_ends_with_a_picture_and_an_evaluation(trainer, tmp_path):
    own = judged(trainer, **OFF_SCHEDULE)
    _, recorder = start(tmp_path / "run", own)
    assert events(tmp_path / "run") == ([5, 6], [5, 6])
    assert recorder.said[-1].startswith("step 6: frechet ")
    with saved(tmp_path / "run", own) as checkpoints:
        assert checkpoints.best_step() is None  # Nothing was evaluated on both schedules.
    start(tmp_path / "off", judged(trainer, **OFF_SCHEDULE | {"evaluate_every": 0}))
    assert events(tmp_path / "off") == ([5, 6], [])


def test_a_prolonged_run_takes_its_end_back(trainer, tmp_path):
    """It leaves the same files as one that was never ended there."""
    whole, folder = tmp_path / "whole", tmp_path / "run"
    start(whole, judged(trainer, **OFF_SCHEDULE, steps=8))
    short = judged(trainer, **OFF_SCHEDULE, steps=4)
    record.create(folder, record_of(short), [program.source.spec for program in short.programs])
    start(folder, short)
    assert events(folder) == ([4], [4])
    start(folder, judged(trainer, **OFF_SCHEDULE, steps=8))
    assert events(folder) == ([5, 8], [5, 8])
    assert written(folder) == written(whole)


def record_of(trainer):
    """The schedule of a trainer as an experiment of the library's class, which a record needs."""
    names = [entry.name for entry in dataclasses.fields(TINY)]
    return Experiment(**{name: getattr(trainer.experiment, name) for name in names})


@pytest.mark.parametrize("every", [3, 2])  # On the schedule of checkpoints, or beside it.
@pytest.mark.parametrize("at", [3, 6])  # In the middle, or after the last step.
def test_a_signal_ends_an_evaluation_and_nothing_is_lost(trainer, tmp_path, at, every, monkeypatch):
    monkeypatch.setattr(Judged, "done", [])
    own = judged(trainer, checkpoint_every=every)
    state, _ = start(tmp_path / "whole", own)
    with saved(tmp_path / "whole", own) as checkpoints:
        best = checkpoints.best_step()
    lost = Judged.done[at // 3 - 1]

    Judged.done.clear()
    monkeypatch.setattr(Judged, "signals", {round(lost, 6): signal.SIGTERM})
    folder = tmp_path / "run"
    _, recorder = start(folder, own)
    assert lost not in Judged.done
    assert recorder.said[-1] == (
        f"stopped at step {at} of 6 and saved; its evaluation is left; "
        f"go on with: jaxgan resume {folder}"
    )
    with saved(folder, own) as checkpoints:
        assert checkpoints.steps()[-1] == at
    assert owes_evaluation(folder, own.experiment, own.programs[0].source.spec, at)

    again, recorder = start(folder, own)
    assert recorder.said[1] == f"step {at}: frechet {lost:.4g}"
    assert digest(again) == digest(state)
    assert written(folder) == written(tmp_path / "whole")
    with saved(folder, own) as checkpoints:
        assert checkpoints.best_step() == best
    assert not owes_evaluation(folder, own.experiment, own.programs[0].source.spec, at)


def test_what_was_asked_to_end_before_an_evaluation_does_not_begin_it(
    trainer, tmp_path, monkeypatch
):
    monkeypatch.setattr(Judged, "done", [])
    own = judged(trainer)
    interrupt = {3: lambda: signal.raise_signal(signal.SIGTERM)}
    _, recorder = start(tmp_path / "run", own, after=interrupt)
    assert Judged.done == []
    assert "its evaluation is left" in recorder.said[-1]


def test_a_checkpoint_is_there_before_its_evaluation(trainer, tmp_path, monkeypatch):
    """A kill during the evaluation costs no step, and the evaluation is made up for."""
    folder, seen = tmp_path / "run", []
    own = judged(trainer)

    class Killed(BaseException):
        pass

    def evaluator(self, source, game, root_key, **options):
        def measure(variables):
            seen.append(1)
            raise Killed

        return Evaluator(measure, {})

    monkeypatch.setattr(Judged, "evaluator", evaluator)
    with pytest.raises(Killed):
        start(folder, own)
    monkeypatch.undo()
    monkeypatch.setattr(Judged, "done", [])
    _, recorder = start(folder, own)
    assert recorder.said[0] == f"resuming {folder} from step 3"
    assert len(Judged.done) == 2
    assert [line["step"] for line in read_metrics(folder) if "frechet" in line] == [3, 6]


def test_ranks_that_are_damaged_cost_a_warning(trainer, tmp_path, monkeypatch):
    monkeypatch.setattr(Judged, "done", [])
    own, folder = judged(trainer), tmp_path / "run"
    start(folder, own)
    (folder / "ranks.json").write_text("[1")
    with pytest.warns(UserWarning, match=r"ranks\.json is damaged"), saved(folder, own) as found:
        assert found.best_step() is None


def test_lines_that_a_power_cut_lost_are_named(trainer, tmp_path):
    folder = tmp_path / "run"
    start(folder, trainer, steps=4)
    lines = (folder / "metrics.jsonl").read_text().splitlines(keepends=True)
    kept = [line for line in lines if '"step": 2,' not in line and '"step": 3,' not in line]
    (folder / "metrics.jsonl").write_text("".join(kept))
    with pytest.warns(UserWarning, match=r"metrics\.jsonl has no line of step 2, 3: lost"):
        start(folder, trainer, steps=6)
    assert [line["step"] for line in read_metrics(folder) if "images_seen" in line] == [1, 4, 5, 6]


@pytest.mark.parametrize("name", ["experiment.json", "digests.json"])
def test_an_empty_file_is_taken_from_the_newest_checkpoint(trainer, tmp_path, name):
    folder = tmp_path / "run"
    start(folder, trainer)
    before = (folder / name).read_text()
    expected, digests = record.read(folder)[0], read_digests(folder)
    (folder / name).write_text("")
    with pytest.warns(UserWarning, match=rf"{name} is empty.*its copy in .*checkpoints/4 is taken"):
        found = record.read(folder)[0], read_digests(folder)
    assert found == (expected, digests)
    with pytest.warns(UserWarning, match="is empty"):
        start(folder, trainer, steps=6)
    if name == "digests.json":  # Written again under the run's lock.
        assert (folder / name).read_text() == before

    shutil.rmtree(folder / "checkpoints")
    (folder / name).write_text("")
    with pytest.raises(ValueError, match=rf"{name} is (empty, and no checkpoint|damaged)"):
        (record.read if name == "experiment.json" else read_digests)(folder)


def test_logs_are_on_the_disk_before_a_checkpoint_is(trainer, tmp_path, monkeypatch):
    events = []
    folder = tmp_path / "run"
    monkeypatch.setattr(loop, "sync_metrics", lambda directory: events.append("logs"))
    save = Checkpoints.save
    monkeypatch.setattr(
        Checkpoints, "save", lambda *args: (events.append("checkpoint"), save(*args))[1]
    )
    start(folder, trainer)
    assert events == ["logs", "checkpoint"] * 2


def test_scalars_are_fetched_after_the_next_call_was_dispatched(trainer, tmp_path):
    """Otherwise the device would idle while the host logs."""
    events = []

    class Vectors:
        def __init__(self, last, values):
            self.last, self.values = last, values

        def __array__(self, dtype=None, copy=None):
            events.append(f"fetch {self.last}")
            return np.asarray(self.values)

    (program,) = trainer.programs

    def steps(state, first, count):
        events.append(f"dispatch {first + count}")
        state, values = program.steps(state, first, count)
        return state, Vectors(first + count, values)

    changes = {"steps": 6, "log_every": 3, "sample_every": 9, "checkpoint_every": 9}
    watched = trainer._replace(programs=(program._replace(steps=steps),))
    start(tmp_path / "run", watched, **changes)
    assert events == ["dispatch 1", "dispatch 3", "fetch 1", "dispatch 6", "fetch 3", "fetch 6"]
