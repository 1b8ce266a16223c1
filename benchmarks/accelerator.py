"""Train steps on one GPU against the same steps in PyTorch, in eight minutes.

    python -m benchmarks.accelerator [--minutes 8] [--json FILE] [--only REGEX] [--smoke]

Nothing is downloaded. The rows are taken in their order of interest until the minutes are over,
each is written to --json as soon as it is known, and a second call goes on where the first ended.
`benchmarks.train_step` explains what is compared and how the peer is written: both sides get
the settings that are fastest for them, and their losses and gradient norms must agree first.

Both libraries multiply float32 in TF32, as JAX does by default; the rows `float32 exact` do not.
Memory of ours is what the compiler reserves for the program (arguments, results and what lies
between); of PyTorch's, the most that its allocator held. FLOP are of matrix products and
convolutions alone. `s/kimg` are the seconds for a thousand real images. The row of quality trains
the DCGAN on MNIST, which must lie there (`TFDS_DATA_DIR`).
"""

import argparse
import json
import os
import re
import runpy
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple
from unittest.mock import patch

os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # Half of the card is PyTorch's.

import jax
import jax.numpy as jnp
import torch

from benchmarks import convolutions, growing, torch_growing
from benchmarks.synthetic import Synthetic, experiments, in_dtype
from benchmarks.timing import Run, block_size, seconds
from benchmarks.torch_step import Setting
from benchmarks.train_step import Case, flop, gan_case, translation_case, unet_case, wait
from jaxgan import penalties, train
from jaxgan.experiment import Experiment
from jaxgan.layers.conv import conv_transpose, convolution
from jaxgan.runs.shipped import find
from jaxgan.training.trainer import make_trainer

Row = dict[str, Any]
COLUMNS = {
    "ceiling": {"jax, TFLOP/s": "jax", "torch": "torch"},
    "step": {
        "ours ms": "ours_ms",
        "PyTorch ms": "peer_ms",
        "ratio": "ratio",
        "s/kimg": "seconds_per_kimg",
        "ours TFLOP/s": "tflop_per_s",
        "PyTorch TFLOP/s": "peer_tflop_per_s",
        "ours MB": "mb",
        "PyTorch MB": "peer_mb",
        "PyTorch's setting": "peer_setting",
        "difference of losses": "loss_difference",
    },
    "calls": {"ms a step": "ms"},
    "penalty": {"surrogate ms": "surrogate", "plain": "plain"},
    "transposed": {"lax ms": "lax", "adjoint": "adjoint", "phase": "phase"},
    "convolution": {"lax ms": "lax", "adjoint": "adjoint", "phase": "phase"},
    "quality": {"Fréchet distance": "frechet", "s in all": "seconds_spent"},
}
"""The columns of every table, and where a row has them."""
MNIST, PAIRING = "dcgan_mnist", "pairing r1+r2 64², batch 128"


class Task(NamedTuple):
    """One row to take: its table, its name, and how."""

    table: str
    name: str
    take: Callable[[], Row]


def dcgan(size: int, batch_size: int) -> Experiment:
    return Synthetic(shape=(size, size, 3), batch_size=batch_size)


def step_cases(device: str, smoke: bool) -> dict[str, Callable[[str], Case]]:
    """`dtype -> case` by name, the most telling first."""
    known = experiments("float32")
    large = {
        "dcgan 64², batch 128": dcgan(64, 128),
        PAIRING: penalized(smoke=False)[PAIRING],
        "dcgan 128², batch 64": dcgan(128, 64),
        "dcgan 256², batch 32": dcgan(256, 32),
    }
    names = ["dcgan", "dcgan wgan-gp 1", "dcgan pairing r1+r2", "dcgan wgan-gp 5"]
    chosen = {name: known[name] for name in names}
    chosen |= large | {name: known[name] for name in ("resnet wgan-gp 5", "mlp", "digits")}
    sizes = growing.SIZES
    if smoke:
        chosen, sizes = {"mlp": known["mlp"]}, (4,)
    size, blocks = (16, 1) if smoke else (256, 9)
    found: dict[str, Callable[[str], Case]] = {
        name: lambda dtype, each=each: gan_case(in_dtype(each, dtype), device, dtype)
        for name, each in chosen.items()
    }
    name = f"CycleGAN's generator {size}², {blocks} blocks"
    found[name] = lambda dtype: translation_case(device, dtype, size, blocks)
    depth = size.bit_length() - 1  # To a pixel.
    found[f"pix2pix's U-Net {size}²"] = lambda dtype: unet_case(device, dtype, size, depth)
    for each in sizes:
        experiment = growing.of_size(each, 16 if smoke else 512)
        name = f"growing {each}², batch {experiment.batch_size}"
        found[name] = partial(growing_case, experiment, device)
    return found


def penalized(smoke: bool) -> dict[str, Experiment]:
    """Experiments with a penalty on input gradients."""
    known = experiments("float32")
    if smoke:
        return {"mlp r1": replace(known["mlp"], penalty="r1")}
    names = ("dcgan wgan-gp 1", "dcgan pairing r1+r2")
    large = replace(known[names[1]], shape=(64, 64, 3), batch_size=128)
    return {name: known[name] for name in names} | {PAIRING: large}


def growing_case(experiment: Experiment, device: str, dtype: str) -> Case:
    return gan_case(in_dtype(experiment, dtype), device, dtype, torch_growing.networks_of)


def alternating(ours: Run, peer: Run, repeats: int = 5) -> tuple[float, float]:
    """Medians of ms a step, in blocks of a third of a second that take turns."""
    counts = [max(2, block_size(run) // 3) for run in (ours, peer)]
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(repeats):
        for run, count, found in zip((ours, peer), counts, times, strict=True):
            found.append(1e3 * seconds(run, count))
    return statistics.median(times[0]), statistics.median(times[1])


def take_step(
    case_of: Callable[[str], Case],
    dtype: str,
    device: str,
    *,
    checked: bool = False,
    compiled: bool = False,
) -> Row:
    """A step of ours against PyTorch's, as one calls it or by `torch.compile`."""
    case = case_of(dtype)
    difference = case.check() if checked else None
    if difference is not None and not difference < 0.1:  # TF32 against a CPU's float32.
        raise ValueError(f"losses of ours and PyTorch's step differ by {difference:.2g}")
    ours = case.ours()
    setting = fastest(case, compiled)
    if device == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    peer = case.peer(setting)
    our_ms, peer_ms = alternating(ours, peer)
    memory, work = case.program().memory_analysis(), flop(case)
    reserved = (
        memory.argument_size_in_bytes
        + memory.output_size_in_bytes
        + memory.temp_size_in_bytes
        - memory.alias_size_in_bytes
    )
    return {
        "ours_ms": our_ms,
        "peer_ms": peer_ms,
        "ratio": our_ms / peer_ms,
        "seconds_per_kimg": our_ms / case.images,
        "tflop_per_s": work / our_ms / 1e9,
        "peer_tflop_per_s": work / peer_ms / 1e9,
        "mb": reserved / 1e6,
        "peer_mb": torch.cuda.max_memory_allocated() / 1e6 if device == "cuda" else None,
        "peer_setting": str(setting),
        "loss_difference": difference,
    }


def fastest(case: Case, compiled: bool) -> Setting:
    """PyTorch's best setting by a short block each."""
    if compiled:  # Each takes half a minute to compile.
        return Setting(channels_last=True, fused=True, compiled=True)

    def time_of(setting: Setting) -> float:
        run = case.peer(setting)
        run(3)
        return seconds(run, 10)

    return min((Setting(*choice) for choice in product((False, True), repeat=2)), key=time_of)


def exactly(take: Callable[[], Row]) -> Row:
    """With products of float32 in float32, on both sides."""
    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.allow_tf32 = False
    try:
        with jax.default_matmul_precision("highest"):
            return take()
    finally:
        allow_tf32()


def allow_tf32() -> None:
    torch.set_float32_matmul_precision("high")
    torch.backends.cudnn.allow_tf32 = True


def take_calls(experiment: Experiment, steps_per_call: int) -> Row:
    """Milliseconds a step, where a call takes `steps_per_call`."""
    program = make_trainer(replace(experiment, steps_per_call=steps_per_call)).programs[0]
    state, done = program.start(None), 0

    def run(calls: int) -> None:
        nonlocal state, done
        for _ in range(calls):
            state, _ = program.steps(state, done, steps_per_call)
            done += steps_per_call
        jax.block_until_ready(state)

    run(2)
    calls = max(2, 200 // steps_per_call)
    times = [seconds(run, calls) / steps_per_call for _ in range(5)]
    return {"ms": 1e3 * statistics.median(times)}


def our_step(experiment: Experiment) -> float:
    """ms of a step of ours."""
    run = gan_case(experiment, "cpu", "float32").ours()
    run(3)
    return 1e3 * statistics.median(seconds(run, 10) for _ in range(5))


def take_penalty(experiment: Experiment) -> Row:
    """ms a step with both forms of its penalty."""
    form = penalties.input_gradient_penalty

    def differentiated_twice(*operands: Any, **options: Any) -> jax.Array:
        return form(*operands, **options | {"plain": True})

    found = {"surrogate": our_step(experiment)}
    with patch.object(penalties, "input_gradient_penalty", differentiated_twice):
        return found | {"plain": our_step(experiment)}


def take_quality(name: str, **changes: Any) -> Row:
    """What an experiment that comes with the package reaches, by its own evaluations."""
    experiment = replace(runpy.run_path(str(find(name)))["experiment"], **changes)
    with TemporaryDirectory() as folder:
        found = train(experiment, Path(folder) / "run").metrics
    return {"frechet": next(line["frechet"] for line in reversed(found) if "frechet" in line)}


def take_transposed(experiment: Experiment) -> Row:
    """ms a step with every form of its transposed convolutions."""
    found = {}
    for impl in COLUMNS["transposed"].values():

        def chosen(*operands: Any, impl: Any = impl) -> jax.Array:
            return conv_transpose(*operands[:4], impl)

        with patch.object(convolution, "conv_transpose", chosen):
            found[impl] = our_step(experiment)
    return found


def take_convolution(layer: convolutions.Layer, operation: str, arrays: Any) -> Row:
    """ms of every form of a layer's derivative. 8 in a program make launching count for little."""
    found = {}
    for impl in layer.impls:
        if impl in COLUMNS["convolution"].values():
            function = convolutions.operations(layer, impl)[operation]
            found[impl] = chained(function, *arrays)
    return found


def chained(function: Callable[..., jax.Array], x: jax.Array, kernel: jax.Array) -> float:
    """ms of one of 8 calls in one program, each of which waits for the one before."""
    count = 8

    @jax.jit
    def program(x: jax.Array, kernel: jax.Array) -> jax.Array:
        carry = x  # No loop: XLA's CPU compiler makes convolutions slow there.
        for _ in range(count):
            # Adds next to nothing, so that no call can be left out or done together with another.
            carry = x + 1e-12 * jnp.mean(function(carry, kernel))
        return carry

    jax.block_until_ready(program(x, kernel))
    times = []
    for _ in range(10):
        began = time.perf_counter()
        jax.block_until_ready(program(x, kernel))
        times.append((time.perf_counter() - began) / count)
    return 1e3 * min(times)


def take_ceiling(device: str, dtype: str) -> Row:
    """TFLOP/s of a large matrix product by either library."""
    size = 256 if device == "cpu" else 8192
    draw = torch.randn(size, size, device=device, dtype=getattr(torch, dtype))
    ours = jax.random.normal(jax.random.key(0), (size, size), dtype)
    multiply = jax.jit(jnp.matmul)

    def our_run(steps: int) -> None:
        jax.block_until_ready([multiply(ours, ours) for _ in range(steps)])

    def peer_run(steps: int) -> None:
        for _ in range(steps):
            draw @ draw
        wait(device)

    best = [min(seconds(run, 5) for _ in range(4)) for run in (our_run, peer_run)]
    return {"jax": 2e-12 * size**3 / best[0], "torch": 2e-12 * size**3 / best[1]}


def tasks(device: str, smoke: bool) -> Iterator[Task]:
    """Everything that can be taken, the most telling first."""
    cases = step_cases(device, smoke)
    for dtype in ("float32", "bfloat16"):
        yield Task("ceiling", dtype, partial(take_ceiling, device, dtype))
    for dtype in ("float32", "bfloat16"):
        for name, case_of in cases.items():
            # `benchmarks.growing` checks growing networks, narrow: full width takes PyTorch minutes
            # on the CPU.
            checked = dtype == "float32" and not name.startswith("growing")
            take = partial(take_step, case_of, dtype, device, checked=checked)
            yield Task("step", f"{dtype}, {name}", take)
    for size, batch in ((64, 128), (128, 64), (256, 32)) if device == "cuda" else ():
        take = partial(take_transposed, dcgan(size, batch))
        yield Task("transposed", f"dcgan {size}², batch {batch}", take)
    for experiment_name in ("mlp",) if smoke else ("mlp", "dcgan"):
        for count in (1, 5, 25, 100):
            take = partial(take_calls, experiments("float32")[experiment_name], count)
            yield Task("calls", f"{experiment_name}, {count} steps a call", take)
    for name, experiment in penalized(smoke).items():
        yield Task("penalty", name, partial(take_penalty, experiment))
    if device == "cuda":
        for name in list(cases)[:3]:
            take = partial(take_step, cases[name], "float32", device, checked=True)
            yield Task("step", f"float32 exact, {name}", partial(exactly, take))
        for dtype in ("float32", "bfloat16"):
            for name in ("dcgan", "dcgan 128², batch 64", "growing 64², batch 32"):
                take = partial(take_step, cases[name], dtype, device, compiled=True)
                yield Task("step", f"{dtype}, {name}, torch.compile", take)
    for layer in convolutions.LAYERS[:1] if smoke else convolutions.LAYERS:
        batch = layer.batch if smoke else max(layer.batch, 64)
        keys = jax.random.split(jax.random.key(0))
        x = jax.random.normal(keys[0], (batch, layer.size, layer.size, layer.inputs))
        kernel = jax.random.normal(keys[1], (layer.taps, layer.taps, layer.inputs, layer.outputs))
        for operation in ("value", "image gradient", "kernel gradient", "second derivative"):
            name = f"{layer.name}, {layer.size}² x {layer.inputs} -> {layer.outputs}, {operation}"
            take = partial(take_convolution, layer, operation, (x, kernel / 50))
            yield Task("convolution", name, take)
    quality = partial(take_quality, "digits", steps=20) if smoke else partial(take_quality, MNIST)
    yield Task("quality", "digits" if smoke else MNIST, quality)


def tables(rows: dict[str, Row]) -> str:
    """Everything that was taken, in Markdown."""
    parts = []
    for table, columns in COLUMNS.items():
        lines = [f"| {table} | {' | '.join(columns)} |", "|---" * (1 + len(columns)) + "|"]
        for name, row in rows.items():
            kind, label = name.split(": ", 1)
            if kind == table:
                values = [row["failed"]] if "failed" in row else map(row.get, columns.values())
                lines.append(f"| {' | '.join([label, *map(shown, values)])} |")
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"
    return "" if value is None else str(value)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=8.0, help="no row is begun after them")
    parser.add_argument("--json", type=Path, default=Path("accelerator.json"))
    parser.add_argument("--only", default="", help="rows that this regular expression finds")
    parser.add_argument("--smoke", action="store_true", help="small rows, on a CPU too")
    options = parser.parse_args()
    began = time.monotonic()
    device = "cuda" if jax.default_backend() == "gpu" else "cpu"
    if device == "cpu" and not options.smoke:
        sys.exit("JAX finds no GPU; --smoke runs small rows on a CPU.")
    if device == "cuda" and not torch.cuda.is_available():
        sys.exit("JAX has a GPU and PyTorch has none: install its CUDA build.")
    allow_tf32()
    machine = (
        f"{jax.devices()[0].device_kind}, jax {jax.__version__}, torch {torch.__version__}, "
        f"Python {sys.version.split()[0]}"
    )
    record = json.loads(options.json.read_text()) if options.json.is_file() else {}
    if record and record["machine"] != machine:
        sys.exit(f"{options.json} was taken on {record['machine']}, and this is {machine}")
    rows = record.get("rows", {})
    longest = 0.0
    for table, name, take in tasks(device, options.smoke):
        label = f"{table}: {name}"
        left = 60 * options.minutes - (time.monotonic() - began)
        if label in rows or left < longest or not re.search(options.only, label):
            continue
        start = time.monotonic()
        try:
            rows[label] = take()
        except Exception as error:  # One row that fails must not cost the others.
            rows[label] = {"failed": f"{type(error).__name__}: {error}".splitlines()[0][:200]}
        spent = time.monotonic() - start
        longest = max(longest, spent)
        rows[label]["seconds_spent"] = spent
        options.json.write_text(json.dumps({"machine": machine, "rows": rows}, indent=1) + "\n")
        print(f"{spent:5.1f} s  {label}  {rows[label]}", file=sys.stderr, flush=True)
        jax.clear_caches()
    print(f"{machine}\n\n{tables(rows)}")


if __name__ == "__main__":
    main()
