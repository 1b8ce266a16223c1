"""Steps on eight devices. They need a process of their own: see test_own_process.py."""

import dataclasses
from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.sharding import PartitionSpec as P

from jaxgan import latent, losses, penalties
from jaxgan.data import ArraySource, open_source
from jaxgan.data.minibatch import prepare_batch
from jaxgan.devices import sharding
from jaxgan.experiment import (
    DiscriminatorOptions,
    Experiment,
    GeneratorOptions,
    GrowingDiscriminatorOptions,
    GrowingExperiment,
    GrowingGeneratorOptions,
    InpaintingExperiment,
    OptimizerOptions,
    PairedExperiment,
    PatchOptions,
    SuperResolutionExperiment,
    SuperResolutionOptions,
    UNetOptions,
)
from jaxgan.games import adversarial
from jaxgan.keys import derive
from jaxgan.layers.attention import SelfAttention
from jaxgan.layers.conv import conv, conv_transpose
from jaxgan.layers.minibatch_deviation import minibatch_deviation
from jaxgan.networks import from_linen
from jaxgan.networks.biggan import UpBlock
from jaxgan.networks.dcgan import DCGANDiscriminator, DCGANGenerator
from jaxgan.training import init_state, make_train_step
from jaxgan.training.trainer import make_trainer

pytestmark = pytest.mark.skipif(
    jax.device_count() != 8, reason="needs eight devices (JAX_NUM_CPU_DEVICES=8)"
)
TINY = Experiment(
    batch_size=64,
    conditional=True,
    generator=GeneratorOptions(width=8, latent_size=16),
    discriminator=DiscriminatorOptions(width=8, normalization="none"),
    loss="wasserstein",
    penalty="gradient_penalty",
    steps_per_call=1,
)
PERCEPTRONS = dataclasses.replace(
    TINY,
    # A bias before batch statistics has a gradient of rounding alone, which Adam makes steps of.
    generator=GeneratorOptions(family="mlp", width=256, normalization="none", latent_size=4),
    discriminator=DiscriminatorOptions(family="mlp", width=256, depth=1, normalization="none"),
    discriminator_steps=2,
)
KEY = jax.random.key(0)


def game(axis_name, *, reuse_fakes=False):
    """Everything that is drawn for a batch, and batch statistics."""

    def penalty(discriminator_fn, real, fake, turn):
        key = derive(turn.key, "penalty")
        return 10 * penalties.gradient_penalty(discriminator_fn, real, fake, key)

    sides = (
        DCGANGenerator((8, 8, 1), 8, num_classes=10, axis_name=axis_name),
        DCGANDiscriminator(8, "none", dropout=0.2, num_classes=10),
    )
    loss = losses.ADVERSARIAL["wasserstein"]
    options = {"prior": latent.prior(16), "conditional": True, "penalty": penalty}
    return adversarial(*map(from_linen, sides), loss, reuse_fakes=reuse_fakes, **options)


OPTIMIZERS = {side: optax.sgd(1e-2) for side in ("generator", "discriminator")}


def step_over(axis_name, **options):
    played, prepared = game(axis_name, **options), partial(prepare_batch, flip=True)
    return make_train_step(played, OPTIMIZERS, prepare=prepared, axis_name=axis_name)


@pytest.fixture(scope="module")
def start(batch):
    """On the host."""

    def init(batch):
        return init_state(game(None), OPTIMIZERS, prepare_batch(batch, KEY), KEY)

    return jax.device_get(jax.jit(init)(batch))


def after_three(step, batch, start, place):
    # Where a step leaves it: from elsewhere, the first step would be compiled once more.
    state = jax.device_put(start, place, may_alias=False)  # A step takes its state for itself.
    for _ in range(3):
        state, scalars = step(state, batch, KEY)
    return state, scalars


@pytest.fixture(scope="module")
def batch():
    return {name: np.asarray(a) for name, a in open_source("digits").take(range(64)).items()}


@pytest.fixture(scope="module")
def expected(batch, start):
    """By jit, on one device."""
    return after_three(step_over(None), batch, start, jax.devices()[0])


def assert_close(found, expected, atol=1e-6):
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(np.asarray(a), np.asarray(b), rtol=2e-4, atol=atol)


@pytest.mark.parametrize("check_vma", [True, False])
def test_a_step_under_shard_map_is_the_step_over_the_whole_batch(batch, start, expected, check_vma):
    mesh, specs = sharding.data_mesh(), (P(), P("data"), P())
    step = step_over("data")
    mapped = jax.shard_map(step, mesh=mesh, in_specs=specs, out_specs=P(), check_vma=check_vma)
    assert_close(after_three(jax.jit(mapped), batch, start, sharding.whole(mesh)), expected)


def test_fakes_made_once_are_each_devices_own(batch, start):
    expected = after_three(step_over(None, reuse_fakes=True), batch, start, jax.devices()[0])
    mesh, specs = sharding.data_mesh(), (P(), P("data"), P())
    step = step_over("data", reuse_fakes=True)
    mapped = jax.jit(jax.shard_map(step, mesh=mesh, in_specs=specs, out_specs=P()))
    assert_close(after_three(mapped, batch, start, sharding.whole(mesh)), expected)


def test_a_step_under_pmap_is_the_step_over_the_whole_batch(batch, start, expected):
    mapped = jax.pmap(step_over("data"), axis_name="data", in_axes=(0, 0, None))
    parts = {name: array.reshape(8, -1, *array.shape[1:]) for name, array in batch.items()}

    def spread(tree):
        return jax.tree.map(lambda leaf: np.broadcast_to(leaf, (8, *leaf.shape)), tree)

    rows = sharding.rows(sharding.data_mesh())
    found = jax.device_get(after_three(mapped, parts, spread(start), rows))
    assert_close(jax.tree.map(lambda leaf: leaf[0], found), expected)
    assert_close(jax.tree.map(lambda leaf: leaf[7], found), expected)


@pytest.mark.parametrize(
    ("function", "shape"),
    [
        (lambda x, k: conv(x, k, (2, 2)), (4, 4, 4, 8)),
        (lambda x, k: conv(x, k, (1, 1)), (3, 3, 4, 8)),
        (lambda x, k: conv(x, k, (1, 1)), (3, 3, 4, 1)),
        (lambda x, k: conv_transpose(x, k, (2, 2)), (4, 4, 4, 8)),
    ],
    ids=["strided", "winograd", "few channels", "transposed"],
)
def test_convolutions_have_their_gradients_under_shard_map(function, shape):
    """Kernels are the same on all devices and images are not, which JAX keeps account of."""
    keys = jax.random.split(jax.random.key(1))
    x, kernel = jax.random.normal(keys[0], (16, 8, 8, 4)), jax.random.normal(keys[1], shape)

    def loss(kernel, x):
        return (function(x, kernel) ** 2).sum()

    expected = jax.jit(jax.grad(loss, (0, 1)))(kernel, x)
    mapped = jax.jit(
        jax.shard_map(
            jax.grad(loss, (0, 1)),
            mesh=sharding.data_mesh(),
            in_specs=(P(), P("data")),
            out_specs=(P(), P("data")),
        )
    )
    for found, wanted in zip(mapped(kernel, x), expected, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=2e-5, atol=2e-4)


class Conditioned(nn.Module):
    """A block of BigGAN over a chunk of the latent and a class, and attention after it."""

    axis_name: str | None = None

    @nn.compact
    def __call__(self, x, condition, *, train):
        y = UpBlock(8, train, self.axis_name, name="block")(x, condition)
        return SelfAttention(name="attention")(y)


@pytest.mark.parametrize("mapped", [False, True], ids=["jit", "shard_map"])
def test_blocks_of_biggan_are_those_of_the_whole_batch_over_four_devices(mapped):
    """Batch statistics, class-conditional gains, attention: values, gradients and statistics."""
    mesh = sharding.data_mesh(jax.devices()[:4])
    keys = jax.random.split(jax.random.key(2), 3)
    x = 2 + jax.random.normal(keys[0], (8, 4, 4, 8))
    condition = jax.random.normal(keys[1], (8, 6))
    module = Conditioned()
    variables = module.init(keys[2], x, condition, train=False)
    params, stats = variables["params"], {"batch_stats": variables["batch_stats"]}
    params["attention"]["scale"] = jnp.ones_like(params["attention"]["scale"])

    def both(params, x, condition, axis_name=None):
        def loss(params, x):
            y, state = Conditioned(axis_name).apply(
                {"params": params, **stats}, x, condition, train=True, mutable=["batch_stats"]
            )
            return (y**2).sum(), state

        (_, state), gradients = jax.value_and_grad(loss, (0, 1), has_aux=True)(params, x)
        return gradients, state

    expected = jax.jit(both)(params, x, condition)
    rows, whole = sharding.rows(mesh), sharding.whole(mesh)
    function = both
    if mapped:
        function = jax.shard_map(
            partial(both, axis_name="data"),
            mesh=mesh,
            in_specs=(P(), P("data"), P("data")),
            out_specs=((P(), P("data")), P()),
        )
    placed = jax.device_put(params, whole), *jax.device_put((x, condition), rows)
    found = jax.jit(function)(*placed)
    assert len(found[0][1].sharding.device_set) == 4
    assert_close(found, expected, atol=1e-3)


@pytest.mark.parametrize("mapped", [False, True], ids=["jit", "shard_map"])
def test_groups_of_a_minibatch_lie_on_one_device(mapped):
    """Sixteen samples over four devices: a group of four each, and nothing is exchanged."""
    mesh = sharding.data_mesh(jax.devices()[:4])
    x = jax.random.normal(jax.random.key(3), (16, 2, 2, 3))
    function = minibatch_deviation
    if mapped:
        function = jax.shard_map(function, mesh=mesh, in_specs=P("data"), out_specs=P("data"))
    compiled = jax.jit(function).lower(jax.device_put(x, sharding.rows(mesh))).compile()
    assert not sharding.collective_bytes(compiled.as_text())
    found = compiled(jax.device_put(x, sharding.rows(mesh)))
    np.testing.assert_allclose(found, minibatch_deviation(x), rtol=1e-5)


def program_of(experiment, mesh=None):
    (program,) = make_trainer(experiment, mesh).programs
    return program


@pytest.fixture(scope="module")
def programs():
    """The program on eight devices, and its compiled step on one device and on eight."""
    eight = program_of(TINY)
    one = program_of(TINY, sharding.data_mesh(jax.devices()[:1]))
    return eight, one.compile(False), eight.compile(False)


def size(tree):
    return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))


def test_each_device_computes_an_eighth(programs):
    _, one, eight = programs
    share = eight.cost_analysis()["flops"] / one.cost_analysis()["flops"]
    # The rest is what each does in full: the updates of the parameters, and drawing latents' keys.
    assert 1 / 8 <= share < 1 / 8 + 0.03


def test_gradients_are_all_that_is_exchanged(programs):
    program, one, eight = programs
    assert not sharding.collective_bytes(one.as_text())
    found = sharding.collective_bytes(eight.as_text())
    assert set(found) == {"all-reduce"}
    generator, discriminator = (
        size(program.abstract.params[side]) for side in ("generator", "discriminator")
    )
    statistics = 4 * size(program.abstract.variables["generator"].state) + 4 * 32
    # XLA's compiler for CPUs sums the gradient of each of the discriminator's three passes (real,
    # fake, penalty) over devices by itself; the one for TPUs merges them (see the benchmarks).
    assert 0 <= found["all-reduce"] - (generator + 3 * discriminator) <= statistics


def test_collective_bytes_of_a_text():
    text = """
      %a = (f32[2,3]{1,0}, /*index=1*/bf16[5]{0}) all-reduce(%x, %y), channel_id=1
      ROOT %b = f32[8,4]{1,0:T(8,128)} all-gather(f32[1,4]{1,0} %c), dimensions={0}
      %d = pred[] all-reduce-start(%e)
    """
    assert sharding.collective_bytes(text) == {"all-reduce": 24 + 10 + 1, "all-gather": 128}


@pytest.fixture(scope="module")
def whole():
    """The perceptrons' program on eight devices, each of which has all parameters."""
    return program_of(PERCEPTRONS)


def test_parameters_split_over_devices_train_alike(whole):
    split = program_of(dataclasses.replace(PERCEPTRONS, shard_parameters=True))
    states = []
    for program in (whole, split):
        state = program.start(None)
        for step in range(2):
            state, scalars = program.steps(state, step, 1)
        states.append((sharding.local(state), np.asarray(scalars)))
    # A fortieth of a step of 2e-4: where a gradient is near 0, Adam divides rounding by rounding.
    assert_close(states[1], states[0], atol=5e-6)
    for leaf in jax.tree.leaves(state):  # Parameters, averages and Adam's moments alike,
        part = leaf.sharding.shard_shape(leaf.shape)
        split_at = leaf.size // np.prod(part, dtype=int)
        assert split_at == (8 if leaf.size >= 1 << 14 else 1)  # but nothing small.
    held = sum(leaf.addressable_shards[0].data.nbytes for leaf in jax.tree.leaves(state))
    assert held < 0.25 * size(state)
    assert "all-gather" in sharding.collective_bytes(split.compile(False).as_text())


SGD = OptimizerOptions("sgd", 1e-2)
SHARED = {
    "data": "digits",
    "batch_size": 16,
    "flip": True,
    "steps_per_call": 1,
    "generator_optimizer": SGD,
    "discriminator_optimizer": SGD,
}
PATCHES = PatchOptions(width=4, layers=1, normalization="batch", inner_bias=False)
UNET = UNetOptions(width=4, depth=2, dropout=0.0)


@pytest.mark.parametrize(
    "experiment",
    [
        PairedExperiment(
            degrade="noise",
            generator=UNET,
            discriminator=PATCHES,
            feature_matching_weight=1.0,
            **SHARED,
        ),
        InpaintingExperiment(
            hole="box", unet=UNET, discriminator=PATCHES, border_weight=2.0, border=1, **SHARED
        ),
        SuperResolutionExperiment(
            patch_size=0,
            adversarial_weight=0.0,
            generator=SuperResolutionOptions(factor=2, blocks=1, width=4),
            **SHARED,
        ),
    ],
    ids=lambda experiment: experiment.name,
)
def test_images_of_conditions_are_learnt_alike_on_one_device(experiment):
    states = []
    for mesh in (sharding.data_mesh(jax.devices()[:1]), sharding.data_mesh()):
        program = program_of(experiment, mesh)
        state = program.start(None)
        for step in range(2):
            state, scalars = program.steps(state, step, 1)
        states.append((sharding.local(state), np.asarray(scalars)))
    # The weights of L1's terms are 100, and a gradient that flips a sign moves a weight by 1e-6.
    assert_close(states[1], states[0], atol=1e-5)


def test_a_growing_run_goes_on_with_four_devices():
    """From 4 pixels to 8 that fade in: groups of four samples, α, the optimisers of a new size."""
    experiment = GrowingExperiment(
        image_size=8,
        batch_sizes=(16, 16),
        train_images=32,
        fade_images=32,
        steps=4,
        generator=GrowingGeneratorOptions(width=4, latent_size=4),
        discriminator=GrowingDiscriminatorOptions(width=4),
        **SHARED,
    )
    one, four = (
        make_trainer(experiment, sharding.data_mesh(jax.devices()[:count])).programs
        for count in (1, 4)
    )
    state, ends = one[0].start(None), []
    for step in range(2):
        state, _ = one[0].steps(state, step, 1)
    begun = jax.device_get(state)
    for programs in (one, four):
        state = programs[1].start(begun)
        for step in range(2, 4):
            state, scalars = programs[1].steps(state, step, 1)
        ends.append((sharding.local(state), np.asarray(scalars)))
    assert int(ends[0][0].ema.state["fading"]["steps"]) == 1
    assert_close(ends[1], ends[0], atol=1e-5)


class Streamed(Experiment):
    """Data that stay on the host."""

    def open_source(self, split="train"):
        host = super().open_source(split).host
        return ArraySource("streamed", host["real"], host["label"], device_limit=0)


def test_streamed_rows_go_to_their_devices_alone(whole, monkeypatch):
    streamed = program_of(Streamed(**vars(PERCEPTRONS)))
    taken, take = [], streamed.source.take
    monkeypatch.setattr(
        streamed.source, "take", lambda indices: taken.append(list(indices)) or take(indices)
    )
    mesh = sharding.data_mesh()
    batch = sharding.place_rows(streamed.source.take, streamed.indices(3), mesh)
    assert taken == [list(part) for part in np.split(streamed.indices(3), 8)]
    assert all(array.sharding.spec == P("data") for array in batch.values())
    states = []
    for program in (streamed, whole):
        states.append(program.steps(program.start(None), 0, 1))
    assert_close(*states)


def test_a_batch_that_does_not_divide_is_refused():
    with pytest.raises(ValueError, match="batch_size 60 does not divide among 8 devices; take a"):
        make_trainer(dataclasses.replace(TINY, batch_size=60))
