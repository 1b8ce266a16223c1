"""A whole train step against the same step in PyTorch: time, memory, arithmetic.

    python -m benchmarks.train_step [--only dcgan] [--repeats 7] [--json FILE] [--dtype bfloat16]

Ours is the compiled step of `jaxgan.training.program` as the training loop calls it; the peer is
`benchmarks.torch_step` with the same layers, losses, penalties, optimisers and averaged generator.
Both gather their minibatch from uint8 images on the device; the peer's indices are drawn
beforehand, ours are planned within the call, as the loop does. Before anything is timed, both take
the same two steps (ported weights, same latents): losses and norms of gradients must agree, and
their networks have equally many parameters.

Time: both are warmed up, then blocks of a second or more alternate. The fastest of each side
counts: what else a shared machine does only ever slows it, and us more than PyTorch. PyTorch has
all cores and the fastest of its settings: channels last or not, fused or foreach optimiser, on a
GPU or with `--compile` also compiled or not (of steps with a penalty the generator alone, for
`torch.compile` refuses second derivatives; on a CPU it takes minutes a case).
Arithmetic: the matrix products and convolutions that PyTorch executes in a step, by their shapes
(`torch.utils.flop_counter`), taken for both sides, over the time; the ceiling is the faster
library's 2048 x 2048 matrix product in the same run. Rewrites that need fewer multiplications
(Winograd) may pass it.
Memory: each side in a process of its own, the largest resident memory in 10 steps above that once
libraries and data are loaded. Ours finds its program in a compilation cache, as any run but the
first does; the first one's, with the compiler's memory, is in brackets. PyTorch's is without
`torch.compile`. On a GPU it is the largest that the framework's allocator held.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import cache, partial
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax.traverse_util import flatten_dict

from benchmarks.synthetic import experiments
from benchmarks.timing import Run, block_size, cached_in, resident, seconds
from jaxgan import compiler
from jaxgan.devices.allocator import keep_freed_memory
from jaxgan.experiment import Experiment, OptimizerOptions
from jaxgan.keys import derive
from jaxgan.latent import draw_latents
from jaxgan.networks.cyclegan import TranslationGenerator
from jaxgan.networks.unet import UNet
from jaxgan.training.program import Program
from jaxgan.training.trainer import make_trainer

try:
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode
    from torch.utils.flop_counter import flop_registry

    from benchmarks import torch_networks, torch_step
    from benchmarks.torch_step import Setting
except ModuleNotFoundError as error:
    if error.name != "torch":
        raise
    sys.exit("This benchmark needs PyTorch, which is not installed: the extra `benchmark` has it.")

ROOT = Path(__file__).parent.parent


class Case(NamedTuple):
    """One row: how to make a run of either side.

    Attributes:
      images: real images that a step sees.
      ours: `() -> run`.
      peer: `setting -> run`.
      check: `() -> the largest difference between both sides' losses, relative`.
      program: `() -> ours, compiled`.
    """

    images: int
    ours: Callable[[], Run]
    peer: Callable[[Setting], Run]
    check: Callable[[], float]
    program: Callable[[], jax.stages.Compiled]


def cases(device: str, dtype: str) -> dict[str, Case]:
    """Every row by name; nothing is built before it is asked for."""
    rows = {name: gan_case(each, device, dtype) for name, each in experiments(dtype).items()}
    return rows | {"translation generator": translation_case(device, dtype)}


def gan_case(
    experiment: Experiment,
    device: str,
    dtype: str,
    twins: Callable[
        [Any, tuple[int, ...]], tuple[torch.nn.Module, torch.nn.Module]
    ] = torch_networks.networks_of,
) -> Case:
    """The row of an experiment, whose networks have these counterparts."""
    minibatches = experiment.discriminator_steps

    @cache
    def program() -> Program:
        return make_trainer(experiment).programs[0]

    def ours() -> Run:
        state, most, done = program().start(None), program().steps_per_call, 0

        def run(steps: int) -> None:
            nonlocal state, done
            end = done + steps
            while done < end:
                count = min(most, end - done)
                state, _ = program().steps(state, done, count)
                done += count
            jax.block_until_ready(state)

        return run

    def peer(setting: Setting) -> Run:
        source = experiment.open_source()
        rng = np.random.default_rng(0)
        size = experiment.batch_size * minibatches
        indices = [rng.integers(0, len(source), size, np.int32) for _ in range(64)]
        networks = [
            torch_step.prepared(network, setting, device)
            for network in twins(experiment, source.spec.shape)
        ]
        images = channels_first(source.host["real"]).to(device)
        step = torch_step.make_gan_step(experiment, *networks, images, setting, dtype)
        count = 0

        def run(steps: int) -> None:
            nonlocal count
            for _ in range(steps):
                step(indices[count % len(indices)])
                count += 1
            wait(device)

        return run

    def check() -> float:
        return largest_difference(program(), *twins(experiment, program().source.spec.shape))

    def compiled() -> jax.stages.Compiled:
        return program().compile(False)

    return Case(experiment.batch_size * minibatches, ours, peer, check, compiled)


def largest_difference(
    program: Program, generator: torch.nn.Module, discriminator: torch.nn.Module
) -> float:
    """Relative difference of the losses of two steps, with weights, data and draws of ours."""
    experiment = program.experiment
    assert isinstance(experiment, Experiment)
    state, key = program.start(None), jax.random.key(experiment.seed)
    sides = {"discriminator": discriminator, "generator": generator}
    orders = creation_orders(program)
    for side, network in sides.items():
        torch_networks.port(network, state.params[side], orders[side])
    latents, mixes = [], []
    for number in range(2):
        turns = [("discriminator", index) for index in range(experiment.discriminator_steps)]
        turns += [] if experiment.reuse_fakes else [("generator",)]
        for path in turns:
            turn, size = derive(key, number, *path), experiment.generator.latent_size
            latents.append(draw_latents(derive(turn, "latent"), experiment.batch_size, size))
            if path != ("generator",):
                draw = jax.random.uniform(derive(turn, "penalty"), (experiment.batch_size,))
                mixes.append(draw)
    step = torch_step.make_gan_step(
        experiment,
        generator,
        discriminator,
        channels_first(program.source.host["real"]),
        Setting(),
        draw_latents=map(as_torch, latents).__next__,
        draw_mix=map(as_torch, mixes).__next__,
    )
    differences = []
    for number in range(2):
        state, vectors = program.steps(state, number, 1)
        named = dict(zip(program.scalar_names, np.asarray(vectors)[0], strict=True))
        values = step(program.indices(number))
        found = {f"{name}_loss": value.item() for name, value in zip(sides, values, strict=True)}
        for name, network in sides.items():
            gradients = [p.grad for p in network.parameters() if p.grad is not None]
            found[f"{name}_gradient_norm"] = torch.nn.utils.get_total_norm(gradients).item()
        differences += [  # Relative, but for losses that start at 0.
            abs(value - named[name]) / (abs(named[name]) + 0.01) for name, value in found.items()
        ]
    return float(max(differences))


def creation_orders(program: Program) -> dict[str, list[tuple[str, ...]]]:
    """Paths of both networks' parameters, by side, in the order in which they are made."""
    orders: dict[str, list[tuple[str, ...]]] = {}

    def init(batch: dict[str, jax.Array]) -> None:
        sides, _ = program.game.init(jax.random.key(0), batch)
        orders.update({name: list(flatten_dict(side.params)) for name, side in sides.items()})

    jax.eval_shape(init, {"real": jnp.zeros((2, *program.source.spec.shape))})
    return orders


def translation_case(device: str, dtype: str, size: int = 64, blocks: int = 6) -> Case:
    """CycleGAN's generator alone, on one square image."""
    module = TranslationGenerator(channels=3, blocks=blocks, dtype=jnp.dtype(dtype))
    twin = partial(torch_networks.translation_generator, 3, 64, blocks)
    return image_case(module, twin, size, device, dtype)


def unet_case(device: str, dtype: str, size: int, depth: int) -> Case:
    """pix2pix's generator alone, on one square image; without dropout, whose draws would differ."""
    module = UNet(
        channels=3, depth=depth, dropout=0.0, normalization="instance", dtype=jnp.dtype(dtype)
    )
    twin = partial(torch_networks.UNet, 3, 64, depth)
    return image_case(module, twin, size, device, dtype)


def image_case(
    module: nn.Module, twin: Callable[[], torch.nn.Module], size: int, device: str, dtype: str
) -> Case:
    """A generator that translates, on one square image: Adam on an L1 loss."""
    options = OptimizerOptions()
    rng = np.random.default_rng(0)
    images, targets = rng.uniform(-1, 1, (2, 1, size, size, 3)).astype(np.float32)

    def initial() -> Any:
        return jax.jit(partial(module.init, train=True))(jax.random.key(0), images)["params"]

    def our_step() -> tuple[Any, Callable[..., Any]]:
        keep_freed_memory()  # As runs do.
        optimizer = options.build()
        params = initial()

        # As runs ask for a single image, for which oneDNN does not pay.
        asked = compiler.options(jax.default_backend(), convolutions=not compiler.offers_onednn())

        @partial(jax.jit, donate_argnums=0, compiler_options=asked)
        def step(state: Any, images: jax.Array, targets: jax.Array) -> tuple[Any, jax.Array]:
            def loss(params: Any) -> jax.Array:
                outputs = module.apply({"params": params}, images, train=True)
                return jnp.mean(jnp.abs(outputs - targets))

            params, opt_state = state
            value, gradient = jax.value_and_grad(loss)(params)
            updates, opt_state = optimizer.update(gradient, opt_state)
            return (optax.apply_updates(params, updates), opt_state), value

        return (params, optimizer.init(params)), step

    def ours() -> Run:
        state, step = our_step()
        x, y = jax.device_put((images, targets))

        def run(steps: int) -> None:
            nonlocal state
            for _ in range(steps):
                state, _ = step(state, x, y)
            jax.block_until_ready(state)

        return run

    def peer(setting: Setting) -> Run:
        network = torch_step.prepared(twin(), setting, device)
        x, y = channels_first(images).to(device), channels_first(targets).to(device)
        step = torch_step.make_l1_step(network, x, y, options, setting, dtype)

        def run(steps: int) -> None:
            for _ in range(steps):
                step()
            wait(device)

        return run

    def check() -> float:
        state, step = our_step()
        order: list[tuple[str, ...]] = []

        def init(images: jax.Array) -> None:
            order.extend(flatten_dict(module.init(jax.random.key(0), images, train=True)["params"]))

        jax.eval_shape(init, images)
        network = twin()
        torch_networks.port(network, state[0], order)
        x, y = channels_first(images), channels_first(targets)
        peer_step = torch_step.make_l1_step(network, x, y, options, Setting())
        differences = []
        for _ in range(2):
            state, value = step(state, images, targets)
            differences.append(abs(float(value) - peer_step().item()))
        return max(differences)

    def compiled() -> jax.stages.Compiled:
        state, step = our_step()
        return step.lower(state, images, targets).compile()

    return Case(1, ours, peer, check, compiled)


def as_torch(array: jax.Array) -> torch.Tensor:
    return torch.from_numpy(np.array(array))


def channels_first(images: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(images.transpose(0, 3, 1, 2).copy())


def wait(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def fastest_setting(case: Case, try_compiled: bool) -> Setting:
    """PyTorch's best for the case, by the median of three short blocks."""

    def time_of(setting: Setting) -> float:
        run = case.peer(setting)
        steps = max(2, block_size(run) // 4)
        return statistics.median(seconds(run, steps) for _ in range(3))

    choices = [Setting(*choice) for choice in product((False, True), (False, True))]
    times = {setting: time_of(setting) for setting in choices}
    best = min(choices, key=lambda setting: times[setting])
    compiled = best._replace(compiled=True)
    return compiled if try_compiled and time_of(compiled) < times[best] else best


def ceiling(device: str, dtype: str) -> float:
    """FLOP/s of a 2048 x 2048 matrix product, of the library that is faster."""
    size, repeats = 2048, 10
    a = jnp.ones((size, size), dtype)
    b = torch.ones((size, size), dtype=getattr(torch, dtype), device=device)
    multiply = jax.jit(jnp.matmul)

    def ours(steps: int) -> None:
        jax.block_until_ready([multiply(a, a) for _ in range(steps)])

    def peer(steps: int) -> None:
        for _ in range(steps):
            b @ b
        wait(device)

    best = min(seconds(run, repeats) for run in (ours, peer) * 5)
    return 2 * size**3 / best


class FlopCounter(TorchDispatchMode):
    """Adds up multiplications and additions of all matrix products and convolutions under it.

    `FlopCounterMode` does too, but its bookkeeping by module stops at `torch.autograd.grad`.
    """

    total = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        of_shapes = flop_registry.get(function._overloadpacket)
        if of_shapes is not None:
            self.total += of_shapes(*args, **(kwargs or {}), out_val=result)
        return result


def flop(case: Case) -> int:
    """Multiplications and additions of a step, by the shapes of PyTorch's operations."""
    run = case.peer(Setting())
    run(1)
    with FlopCounter() as counter:
        run(1)
    return counter.total


def measure_memory(run_of: Callable[[], Run], side: str, device: str) -> float:
    """MB that building a run and 10 steps need beyond what is resident before."""
    before = resident("VmRSS")
    run_of()(10)
    if device == "cuda":
        if side == "ours":
            return jax.devices()[0].memory_stats()["peak_bytes_in_use"] / 1e6
        return torch.cuda.max_memory_allocated() / 1e6
    return (resident("VmHWM") - before) / 1e6


def memory(name: str, setting: Setting, options: argparse.Namespace) -> dict[str, float]:
    """`measure_memory` in new processes: ours before and after its program is cached, the peer."""

    def measure(side: str, folder: str) -> float:
        command = [sys.executable, "-m", "benchmarks.train_step", "--only", name, "--memory", side]
        command += ["--setting", json.dumps(setting), "--dtype", options.dtype]
        command += ["--device", options.device]
        done = subprocess.run(
            command, cwd=ROOT, env=cached_in(folder), capture_output=True, text=True, check=False
        )
        if done.returncode:
            sys.exit(f"measuring the memory of {name!r} failed:\n{done.stderr}")
        return float(done.stdout.splitlines()[-1])

    with tempfile.TemporaryDirectory() as cache:
        first = measure("ours", cache)
        return {
            "ours_mb": measure("ours", cache),
            "peer_mb": measure("peer", cache),
            "ours_first_mb": first,
        }


def compare(
    name: str, case: Case, peak: float, device: str, options: argparse.Namespace
) -> dict[str, Any]:
    """One row."""
    difference = case.check()
    allowed = 0.01 if options.dtype == "float32" else 0.1
    if not difference < allowed:
        sys.exit(f"{name}: losses of ours and PyTorch's step differ by {difference:.2g}")
    setting = fastest_setting(case, options.compile or device == "cuda")
    ours, peer = case.ours(), case.peer(setting)
    our_steps, peer_steps = block_size(ours), block_size(peer)
    our_times, peer_times = [], []
    for _ in range(options.repeats):
        for run, steps, times in ((peer, peer_steps, peer_times), (ours, our_steps, our_times)):
            time.sleep(0.1)  # Threads of the other library stop spinning.
            times.append(1e3 * seconds(run, steps))
    our_ms, peer_ms, work = min(our_times), min(peer_times), flop(case)
    return {
        "case": name,
        "ours_ms": our_ms,
        "peer_ms": peer_ms,
        "ratio": our_ms / peer_ms,
        "ours_blocks_ms": our_times,
        "peer_blocks_ms": peer_times,
        "peer_setting": str(setting),
        "ours_images_per_s": 1e3 * case.images / our_ms,
        "peer_images_per_s": 1e3 * case.images / peer_ms,
        **memory(name, setting._replace(compiled=False), options),
        "gflop": work / 1e9,
        "ours_gflop_per_s": work / our_ms / 1e6,
        "peer_gflop_per_s": work / peer_ms / 1e6,
        "ceiling_gflop_per_s": peak / 1e9,
        "loss_difference": difference,
    }


HEAD = """\
| case | ours ms | PyTorch ms | ratio | images/s | MB ours | MB PyTorch | GFLOP | GFLOP/s ours | \
PyTorch | ours of ceiling | PyTorch's setting |
|---|---|---|---|---|---|---|---|---|---|---|---|"""


def line(row: dict[str, Any]) -> str:
    """A row of the table under `HEAD`."""
    cells = [
        row["case"],
        *(f"{row[side]:,.{2 if row[side] < 10 else 1}f}" for side in ("ours_ms", "peer_ms")),
        f"{row['ratio']:.2f}",
        f"{row['ours_images_per_s']:,.0f}",
        f"{row['ours_mb']:.0f} ({row['ours_first_mb']:.0f})",
        f"{row['peer_mb']:.0f}",
        f"{row['gflop']:.3g}",
        f"{row['ours_gflop_per_s']:,.0f}",
        f"{row['peer_gflop_per_s']:,.0f}",
        f"{row['ours_gflop_per_s'] / row['ceiling_gflop_per_s']:.0%}",
        row["peer_setting"],
    ]
    return f"| {' | '.join(cells)} |"


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", help="cases whose name holds this")
    parser.add_argument("--repeats", type=int, default=7, help="blocks a side")
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument("--device", choices=("auto", "cpu", "gpu"), default="auto")
    parser.add_argument("--compile", action="store_true", help="try torch.compile on a CPU too")
    parser.add_argument("--json", type=Path, help="also write the table here")
    parser.add_argument("--memory", choices=("ours", "peer"), help=argparse.SUPPRESS)
    parser.add_argument("--setting", type=json.loads, default=(), help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    options = parse()
    if options.device != "auto":
        jax.config.update("jax_platforms", {"cpu": "cpu", "gpu": "cuda"}[options.device])
    device = "cuda" if jax.default_backend() == "gpu" else "cpu"
    if device == "cuda" and not torch.cuda.is_available():
        sys.exit("JAX has a GPU and PyTorch has none: install its CUDA build, or add --device cpu.")
    torch.set_num_threads(os.cpu_count() or 1)
    torch.set_float32_matmul_precision("high")  # On a GPU, like JAX; nothing on a CPU.
    table = cases(device, options.dtype)
    if options.memory:
        case = table[options.only]
        peer = partial(case.peer, Setting(*options.setting))
        run_of = case.ours if options.memory == "ours" else peer
        print(measure_memory(run_of, options.memory, device))
        return
    peak = ceiling(device, options.dtype)
    print(
        f"{options.dtype} on {jax.devices()[0].device_kind}, {os.cpu_count()} cores; "
        f"jax {jax.__version__}, torch {torch.__version__}; "
        f"matrix product: {peak / 1e9:,.0f} GFLOP/s\n\n{HEAD}",
        flush=True,
    )
    rows = []
    for name, case in table.items():
        if not options.only or options.only in name:
            rows.append(compare(name, case, peak, device, options))
            print(line(rows[-1]), flush=True)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
