import functools
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.latent import weight_directions
from jaxgan.layers.spectral_norm import init_vectors
from jaxgan.matrices import usual_axes
from jaxgan.networks import parameter_count
from jaxgan.networks.biggan import (
    BigGANDiscriminator,
    BigGANGenerator,
    DownBlock,
    UpBlock,
    discriminator_sizes,
    generator_sizes,
)
from jaxgan.networks.families import (
    DiscriminatorOptions,
    GeneratorOptions,
    first_kernel,
    make_discriminator,
    make_generator,
)

RANDOM = np.random.default_rng(0)
SHAPE = (32, 32, 3)
LATENTS = RANDOM.normal(size=(4, 8)).astype(np.float32)
IMAGES = RANDOM.uniform(-1, 1, size=(4, *SHAPE)).astype(np.float32)
LABELS = np.array([0, 1, 2, 1])
GENERATOR = BigGANGenerator(SHAPE, 2, num_classes=3, attention=16, shared_size=5)
DISCRIMINATOR = BigGANDiscriminator(2, num_classes=3, attention=8)


def _shapes(network, *inputs):
    """Output and variables of a network as shapes, without computing anything."""
    init = functools.partial(network.init_with_output, train=True)
    return jax.eval_shape(
        init, {"params": jax.random.key(0), "dropout": jax.random.key(1)}, *inputs
    )


def _variables(network, *inputs):
    """Some variables that fit the network, made without compiling its `init`."""
    random = np.random.default_rng(1)

    def draw(leaf):
        if leaf.ndim > 1:  # images are then neither grey nor all at the ends of tanh
            spread = (0.5 / np.prod(leaf.shape[:-1])) ** 0.5
            return random.normal(0, spread, leaf.shape).astype(np.float32)
        return random.uniform(0.5, 1.5, leaf.shape).astype(np.float32)  # scales and variances

    return jax.tree.map(draw, _shapes(network, *inputs)[1])


def _apply(network, variables, *inputs, **options):
    return jax.jit(functools.partial(network.apply, **options))(variables, *inputs)


@functools.cache
def _generator():
    """The generator's variables, its images, and what each of its layers gives."""
    variables = _variables(GENERATOR, LATENTS, LABELS)
    return variables, *_seen(variables, LATENTS)


@functools.cache
def _seeing():
    """A program for all calls: images, and outputs of layers by name."""

    @jax.jit
    def apply(variables, latents, labels):
        images, found = GENERATOR.apply(
            *(variables, latents, labels),
            train=False,
            capture_intermediates=True,
            mutable=["intermediates"],
        )
        layers = found["intermediates"]
        return images, {
            name: layers[name]["__call__"][0]
            for name in ("DenseGeneral_0", "UpBlock_0", "UpBlock_1", "UpBlock_2")
        }

    return apply


def _seen(variables, latents, labels=LABELS):
    return _seeing()(variables, latents, labels)


@pytest.mark.parametrize(
    ("size", "classes", "width", "attention", "latent_size", "generator", "discriminator"),
    [
        (128, 1000, 96, 64, 120, 70_433_988, 87_982_370),
        (64, 1000, 64, 32, 120, 31_969_540, 20_571_842),
        (32, 10, 64, 0, 128, 4_373_251, 4_207_361),
    ],
)
def test_parameter_counts_of_the_authors_code(
    size, classes, width, attention, latent_size, generator, discriminator
):
    shape, labels = (size, size, 3), jnp.zeros(2, int)
    network = BigGANGenerator(shape, width, num_classes=classes, attention=attention)
    images, variables = _shapes(network, jnp.ones((2, latent_size)), labels)
    assert (images.shape, images.dtype) == ((2, *shape), jnp.float32)
    assert parameter_count(variables["params"]) == generator
    network = BigGANDiscriminator(width, num_classes=classes, attention=attention)
    logits, variables = _shapes(network, jnp.ones((2, *shape)), labels)
    assert (logits.shape, logits.dtype) == ((2,), jnp.float32)
    assert parameter_count(variables["params"]) == discriminator


def test_the_counts_of_32_pixels_layer_by_layer():
    """Four chunks of 32 numbers, classes of 128, and 256 channels everywhere."""
    dense, conv, shortcut = 32 * 4096 + 4096, 9 * 256 * 256 + 256, 256 * 256 + 256
    norm = 2 * (128 + 32) * 256
    up = 2 * conv + shortcut + 2 * norm
    assert 10 * 128 + dense + 3 * up + 2 * 256 + (9 * 256 * 3 + 3) == 4_373_251
    first = (9 * 3 * 256 + 256) + conv + (3 * 256 + 256)
    down, plain = 2 * conv + shortcut, 2 * conv
    assert first + down + 2 * plain + (256 + 1) + 10 * 256 == 4_207_361


@pytest.mark.parametrize("size", [32, 64, 128, 256])
def test_sizes_of_maps(size):
    shape = (size, size, 1)
    assert generator_sizes(shape) == [8 << i for i in range(len(generator_sizes(shape)))]
    assert generator_sizes(shape)[-1] == size
    expected = {
        32: [16, 8, 8, 8],
        64: [32, 16, 8, 4, 4],
        128: [64, 32, 16, 8, 4, 4],
        256: [128, 64, 32, 16, 8, 4, 4],
    }
    assert discriminator_sizes(shape) == expected[size]


def test_the_channels_of_256_pixels():
    """Its counts are not among those above: layers are, of width 1."""
    generator = BigGANGenerator((256, 256, 3), 1)
    _, variables = _shapes(generator, jnp.ones((1, 7)))
    params = variables["params"]
    kernels = [params[f"UpBlock_{i}"]["first"]["kernel"].shape[2:] for i in range(6)]
    assert kernels == [(16, 16), (16, 8), (8, 8), (8, 4), (4, 2), (2, 1)]
    _, variables = _shapes(BigGANDiscriminator(1), jnp.ones((1, 256, 256, 3)))
    params = variables["params"]
    kernels = [params[f"DownBlock_{i}"]["first"]["kernel"].shape[2:] for i in range(7)]
    assert kernels == [(3, 1), (1, 2), (2, 4), (4, 8), (8, 8), (8, 16), (16, 16)]
    shortcuts = ["shortcut" in params[f"DownBlock_{i}"] for i in range(7)]
    assert shortcuts == [True] * 6 + [False]


def _torch_layers(torch, params):
    """Convolutions, attention and pixels of PyTorch, over parameters `[..., in, out]`."""
    functional = torch.nn.functional

    def conv(x, layer):
        kernel = layer["kernel"].permute(3, 2, 0, 1)
        return functional.conv2d(x, kernel, layer["bias"], padding=kernel.shape[-1] // 2)

    def attention(x):
        layer = params["SelfAttention_0"]
        query, key, value = (
            functional.conv2d(x, layer[name]["kernel"].T[..., None, None])
            for name in ("query", "key", "value")
        )
        key, value = (functional.max_pool2d(y, 2).flatten(2) for y in (key, value))
        weights = torch.softmax(query.flatten(2).transpose(1, 2) @ key, dim=-1)
        found = (value @ weights.transpose(1, 2)).unflatten(2, x.shape[2:])
        return x + layer["scale"] * functional.conv2d(
            found, layer["out"]["kernel"].T[..., None, None]
        )

    return conv, attention


def test_the_generator_is_pytorchs():
    torch = pytest.importorskip("torch")
    functional = torch.nn.functional
    variables, images, _ = _generator()
    params, stats = (
        jax.tree.map(torch.from_numpy, variables[name]) for name in ("params", "batch_stats")
    )
    conv, attention = _torch_layers(torch, params)

    def norm(x, layer, stats, gain, bias):
        x = functional.batch_norm(x, stats["mean"], stats["var"], eps=1e-5)
        return (x * gain[..., None, None] + bias[..., None, None]).relu()

    def conditional(x, block, stats, name, condition):
        layer, stats = block[name], stats[name]["BatchNorm_0"]
        gain, bias = (condition @ layer[part]["kernel"] for part in ("gain", "bias"))
        return norm(x, layer, stats, 1 + gain, bias)

    def up(x):
        return functional.interpolate(x, scale_factor=2, mode="nearest")

    chunks = torch.from_numpy(LATENTS).chunk(4, dim=1)
    shared = params["Embed_0"]["embedding"][torch.from_numpy(LABELS)]
    dense = params["DenseGeneral_0"]
    x = torch.einsum("bl,lhwc->bchw", chunks[0], dense["kernel"])
    x = x + dense["bias"].permute(2, 0, 1)
    for i in range(3):
        block, block_stats = params[f"UpBlock_{i}"], stats[f"UpBlock_{i}"]
        condition = torch.cat([shared, chunks[i + 1]], dim=1)
        y = up(conditional(x, block, block_stats, "ConditionalBatchNorm_0", condition))
        y = conv(y, block["first"])
        y = conditional(y, block, block_stats, "ConditionalBatchNorm_1", condition)
        x = conv(y, block["second"]) + conv(up(x), block["shortcut"])
        x = attention(x) if i == 1 else x
    last = params["BatchNorm_0"]
    x = norm(x, last, stats["BatchNorm_0"], last["scale"], last["bias"])
    expected = torch.tanh(conv(x, params["Conv_0"])).permute(0, 2, 3, 1)
    assert 0.1 < float(expected.std()) < 0.9
    np.testing.assert_allclose(images, expected, rtol=1e-3, atol=1e-4)


def test_the_discriminator_is_pytorchs():
    torch = pytest.importorskip("torch")
    pool = functools.partial(torch.nn.functional.avg_pool2d, kernel_size=2)
    variables = _variables(DISCRIMINATOR, IMAGES, LABELS)
    params = jax.tree.map(torch.from_numpy, variables["params"])
    conv, attention = _torch_layers(torch, params)
    x = torch.from_numpy(IMAGES).permute(0, 3, 1, 2)
    for i in range(4):
        block = params[f"DownBlock_{i}"]
        y = conv(conv(x.relu() if i else x, block["first"]).relu(), block["second"])
        if i == 0:
            x = conv(pool(x), block["shortcut"]) + pool(y)
        elif i == 1:
            x = attention(pool(conv(x, block["shortcut"])) + pool(y))  # the first of 8 pixels
        else:
            x = x + y
    features = x.relu().sum((2, 3))
    expected = features @ params["Dense_0"]["kernel"][:, 0] + params["Dense_0"]["bias"]
    expected = expected + (params["Embed_0"]["embedding"][LABELS] * features).sum(1)
    logits = _apply(DISCRIMINATOR, variables, IMAGES, LABELS, train=False)
    assert float(expected.std()) > 1
    np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("chunk", [0, 1, 2, 3])
def test_a_chunk_of_the_latent_reaches_its_own_block_and_what_follows(chunk):
    variables, images, layers = _generator()
    changed = LATENTS.copy()
    changed[:, 2 * chunk : 2 * chunk + 2] += 1
    other_images, others = _seen(variables, changed)
    for i, name in enumerate(layers):
        same = np.array_equal(others[name], layers[name])
        assert same == (i < chunk), name
    assert np.abs(other_images - images).max() > 0.01


@pytest.mark.parametrize("chunk", [1, 2, 3])
def test_a_block_without_weights_for_its_chunk_ignores_it(chunk):
    variables, images, _ = _generator()
    variables = jax.tree.map(np.copy, variables)
    block = variables["params"][f"UpBlock_{chunk - 1}"]
    for norm in ("ConditionalBatchNorm_0", "ConditionalBatchNorm_1"):
        for name in ("gain", "bias"):
            block[norm][name]["kernel"][5:] = 0  # after the class, of 5 numbers
    changed = LATENTS.copy()
    changed[:, 2 * chunk : 2 * chunk + 2] += 1
    (one, _), (other, _) = _seen(variables, LATENTS), _seen(variables, changed)
    np.testing.assert_array_equal(one, other)
    assert np.abs(one - images).max() > 0.01


def test_labels_change_images():
    """The same latents: they come in from the first block on."""
    latents = np.repeat(LATENTS[:1], 4, axis=0)
    images, layers = _seen(_generator()[0], latents)
    images = np.asarray(images).reshape(4, -1)
    np.testing.assert_array_equal(images[1], images[3])
    assert len(np.unique(images, axis=0)) == 3
    assert len(np.unique(np.asarray(layers["DenseGeneral_0"]), axis=0)) == 1
    assert len(np.unique(np.asarray(layers["UpBlock_0"]), axis=0)) == 3


def test_mixtures_of_classes_lie_between_them():
    """Weights of one class are that class; those of half and half meet half their embeddings."""
    variables, images, _ = _generator()
    weights = np.eye(3, dtype=np.float32)[LABELS]
    mixed, _ = _seen(variables, LATENTS, weights)
    np.testing.assert_allclose(mixed, images, rtol=1e-4, atol=1e-5)
    half = np.full((4, 3), [0.5, 0.5, 0], np.float32)
    table = variables["params"]["Embed_0"]["embedding"].copy()
    table[2] = (table[0] + table[1]) / 2
    params = variables["params"] | {"Embed_0": {"embedding": table}}
    expected, _ = _seen(variables | {"params": params}, LATENTS, np.full(4, 2))
    found, _ = _seen(variables, LATENTS, half)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("classes", "hierarchical", "conditioned", "first"),
    [(3, True, 5 + 2, 2), (3, False, 5, 8), (0, True, 2, 2), (0, False, None, 8)],
)
def test_what_blocks_are_conditioned_on(classes, hierarchical, conditioned, first):
    network = GENERATOR.clone(num_classes=classes, hierarchical=hierarchical)
    _, variables = _shapes(network, LATENTS, LABELS if classes else None)
    params = variables["params"]
    assert params["DenseGeneral_0"]["kernel"].shape[0] == first
    assert ("Embed_0" in params) == (classes > 0)
    for i in range(3):
        norms = {n: p for n, p in params[f"UpBlock_{i}"].items() if "BatchNorm" in n}
        if conditioned is None:
            assert norms.keys() == {"BatchNorm_0", "BatchNorm_1"}
        else:
            sizes = [len(norm[n]["kernel"]) for norm in norms.values() for n in ("gain", "bias")]
            assert sizes == [conditioned] * 4
    _, variables = _shapes(network.clone(attention=0), LATENTS, LABELS if classes else None)
    assert not any("Attention" in name for name in variables["params"])


def test_first_weights_of_latents_in_chunks_and_whole():
    params = _generator()[0]["params"]
    kernel = first_kernel(params, 8)
    dense = params["DenseGeneral_0"]["kernel"].reshape(2, -1)
    np.testing.assert_array_equal(kernel[:2, : dense.shape[1]], dense)
    column = dense.shape[1]
    for i in range(3):
        for norm in (0, 1):
            for name in ("gain", "bias"):
                part = params[f"UpBlock_{i}"][f"ConditionalBatchNorm_{norm}"][name]["kernel"]
                expected = np.zeros((8, 8))
                expected[2 * i + 2 : 2 * i + 4] = part[5:]
                np.testing.assert_array_equal(kernel[:, column : column + 8], expected)
                column += 8
    assert kernel.shape == (8, column)
    for direction in weight_directions(kernel, 8):  # each lies in one chunk
        assert np.sum(np.abs(direction.reshape(4, 2)).max(1) > 1e-4) == 1
    whole = _variables(GENERATOR.clone(hierarchical=False), LATENTS, LABELS)["params"]
    np.testing.assert_array_equal(first_kernel(whole, 8), whole["DenseGeneral_0"]["kernel"])


def test_kernels_of_a_block_start_orthogonal():
    block = UpBlock(4, train=True)
    x, condition = jnp.ones((1, 2, 2, 3)), jnp.ones((1, 5))
    params = jax.jit(block.init)(jax.random.key(0), x, condition)["params"]
    kernels = [leaf for leaf in jax.tree.leaves(params) if leaf.ndim > 1]
    assert len(kernels) == 3 + 4
    for kernel in kernels:
        matrix = kernel.reshape(-1, kernel.shape[-1])
        gram = matrix.T @ matrix if len(matrix) >= matrix.shape[1] else matrix @ matrix.T
        np.testing.assert_allclose(gram, np.eye(len(gram)), atol=1e-5)


def test_an_initializer_reaches_all_kernels_and_embeddings():
    """All zeros, so that nothing but the scale of the last batch norm is left."""
    zeros = jax.nn.initializers.zeros
    for network, inputs in (
        (GENERATOR.clone(kernel_init=zeros), (LATENTS, LABELS)),
        (DISCRIMINATOR.clone(kernel_init=zeros), (IMAGES, LABELS)),
    ):
        params = jax.jit(functools.partial(network.init, train=False))(jax.random.key(0), *inputs)
        for path, leaf in jax.tree_util.tree_leaves_with_path(params["params"]):
            assert leaf.any() == ("BatchNorm_0']['scale" in jax.tree_util.keystr(path))


@pytest.mark.parametrize(
    ("network", "inputs"), [(GENERATOR, (LATENTS, LABELS)), (DISCRIMINATOR, (IMAGES, LABELS))]
)
def test_spectral_normalization_knows_every_kernel_and_embedding(network, inputs):
    """Each has a vector as long as its outputs, and nothing else has one."""
    params = _shapes(network, *inputs)[1]["params"]
    start = functools.partial(init_vectors, iterations=1)
    vectors = jax.eval_shape(start, jax.random.key(0), params)
    pairs = zip(
        jax.tree_util.tree_leaves_with_path(params),
        jax.tree.leaves(vectors, is_leaf=lambda leaf: leaf is None),
        strict=True,
    )
    for (path, weight), vector in pairs:
        name = jax.tree_util.keystr(path[-1:], simple=True)
        assert (vector is not None) == (name in ("kernel", "embedding")), path
        if vector is not None:
            whole = "DenseGeneral" in jax.tree_util.keystr(path)
            assert vector.shape == (np.prod(weight.shape[1:]) if whole else weight.shape[-1],)


def test_the_embedding_of_classes_may_be_left_out_as_the_authors_do():
    """By the rule that the module gives."""

    def axes(path, weight):
        return None if path[0] == "Embed_0" else usual_axes(path, weight)

    params = _shapes(GENERATOR, LATENTS, LABELS)[1]["params"]
    start = functools.partial(init_vectors, iterations=1, axes=axes)
    vectors = jax.eval_shape(start, jax.random.key(0), params)
    assert vectors["Embed_0"]["embedding"] is None
    assert vectors["Conv_0"]["kernel"].shape == (3,)


@pytest.mark.parametrize(
    ("normalization", "name"), [("batch", "BatchNorm"), ("group", "GroupNorm"), ("none", "None")]
)
def test_where_the_discriminator_normalizes(normalization, name):
    _, variables = _shapes(DISCRIMINATOR.clone(normalization=normalization), IMAGES, LABELS)
    blocks = [variables["params"][f"DownBlock_{i}"] for i in range(4)]
    counts = [sum(name in layer for layer in block) for block in blocks]
    assert counts == [0] + [0 if normalization == "none" else 2] * 3
    assert not any(name in layer for layer in variables["params"])


def test_a_logit_is_of_the_sum_over_positions():
    """With no weights but those of the shortcuts and the dense layer: relu(2 x) of 64 positions."""
    network = BigGANDiscriminator(width=1)
    images = np.zeros((2, *SHAPE), np.float32)
    params = jax.tree.map(lambda leaf: np.zeros(leaf.shape), _shapes(network, images)[1]["params"])
    params["DownBlock_0"]["shortcut"]["kernel"][0, 0, 0, 0] = 2  # from red to the first channel
    params["DownBlock_1"]["shortcut"]["kernel"][0, 0] = np.eye(4)
    params["Dense_0"]["kernel"][0] = 3
    params["Dense_0"]["bias"] += 1
    images[0, :16, :, 0] = 0.5  # half of the positions
    images[1, ..., 0] = -0.5
    logits = _apply(network, {"params": params}, images, train=False)
    np.testing.assert_allclose(logits, [3 * 32 * 1.0 + 1, 1], rtol=1e-6)


def test_labels_change_logits_by_what_is_projected():
    network = BigGANDiscriminator(1, num_classes=3, with_features=True)
    same = np.repeat(IMAGES[:1], 4, axis=0)
    variables = _variables(network, same, LABELS)
    output = _apply(network, variables, same, LABELS, train=False)
    embedding = variables["params"]["Embed_0"]["embedding"]
    assert embedding.shape == (3, 4)
    assert output["features"].shape == (4, 8, 8, 4)
    projected = (embedding[LABELS] * output["features"].sum((1, 2))).sum(1)
    differences = np.diff(output["logits"])
    assert np.abs(differences).min() > 0.1
    np.testing.assert_allclose(differences, np.diff(projected), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(("network", "inputs"), [(GENERATOR, LATENTS), (DISCRIMINATOR, IMAGES)])
def test_labels_without_classes_and_classes_without_labels(network, inputs):
    with pytest.raises(ValueError, match="takes no labels"):
        _shapes(network.clone(num_classes=0), inputs, LABELS)
    with pytest.raises(ValueError, match="needs labels"):
        _shapes(network, inputs)


@pytest.mark.parametrize(
    ("network", "inputs"),
    [
        (GENERATOR.clone(attention=0), (LATENTS, LABELS)),
        (
            DISCRIMINATOR.clone(attention=0, normalization="batch", dropout=0.3),
            (IMAGES, LABELS),
        ),
    ],
)
def test_recomputed_blocks_give_the_same_gradients_and_state(network, inputs):
    variables = _variables(network, *inputs)

    def loss(params, network):
        output, state = network.apply(
            {**variables, "params": params},
            *inputs,
            train=True,
            mutable=["batch_stats"],
            rngs={"dropout": jax.random.key(3)},
        )
        return jnp.sum(output**2), state

    @jax.jit
    def results(params):
        networks = (network, network.clone(remat=True))
        return [jax.value_and_grad(loss, has_aux=True)(params, n) for n in networks]

    once, again = results(variables["params"])
    # A bias before batch normalisation has a gradient of 0, plus rounding of what cancels.
    largest = max(np.abs(leaf).max() for leaf in jax.tree.leaves(once))
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5 * largest), once, again
    )


@pytest.mark.parametrize(
    ("network", "inputs"), [(GENERATOR, (LATENTS, LABELS)), (DISCRIMINATOR, (IMAGES, LABELS))]
)
def test_recomputed_blocks_have_the_same_variables_and_keep_less(network, inputs):
    again = network.clone(remat=True)
    variables = _shapes(network, *inputs)[1]
    assert _shapes(again, *inputs)[1] == variables

    def kept(network):
        """Numbers kept for the backward pass, as shapes tell without computing anything."""

        def backward(variables):
            def apply(params):
                return network.apply({**variables, "params": params}, *inputs, train=False)

            return jax.vjp(apply, variables["params"])[1]

        return sum(leaf.size for leaf in jax.tree.leaves(jax.eval_shape(backward, variables)))

    assert kept(again) < 0.6 * kept(network)


@pytest.mark.parametrize(
    ("network", "inputs"), [(GENERATOR, (LATENTS, LABELS)), (DISCRIMINATOR, (IMAGES, LABELS))]
)
def test_bfloat16_computation_keeps_parameters_and_outputs_float32(network, inputs):
    network = network.clone(dtype=jnp.bfloat16)
    output, variables = _shapes(network, *inputs)
    assert {leaf.dtype for leaf in jax.tree.leaves((output, variables))} == {jnp.dtype("float32")}
    apply = functools.partial(network.apply, train=False)
    jaxpr = str(jax.make_jaxpr(apply)(variables, *inputs))
    convolutions = [line for line in jaxpr.splitlines() if "= conv_general_dilated" in line]
    assert convolutions
    assert all(":bf16" in line for line in convolutions)


def test_a_block_without_a_change_has_no_shortcut():
    x = RANDOM.normal(size=(2, 4, 4, 3)).astype(np.float32)
    block = DownBlock(3, train=False)
    params = jax.eval_shape(block.init, jax.random.key(0), x)["params"]
    assert params.keys() == {"first", "second"}
    zeros = jax.tree.map(lambda leaf: np.zeros(leaf.shape, np.float32), params)
    np.testing.assert_array_equal(block.apply({"params": zeros}, x), x)


@pytest.mark.parametrize("shape", [(48, 48, 3), (8, 8, 1), (64, 32, 3), (2,), (512, 512, 3)])
def test_sizes_that_are_not_allowed(shape):
    message = "BigGAN images .* have 32x32, 64x64, 128x128 or 256x256 pixels, but these are of "
    with pytest.raises(ValueError, match=message) as caught:
        BigGANGenerator(shape)
    assert str(shape) in str(caught.value)
    with pytest.raises(ValueError, match=message):
        _shapes(BigGANDiscriminator(), jnp.ones((2, *shape)))


@pytest.mark.parametrize(
    ("latent_size", "nearest"), [(126, "are 124 and 128"), (3, "is 4"), (1, "is 4")]
)
def test_latents_that_chunks_do_not_divide(latent_size, nearest):
    message = (
        f"32x32 pixels are cut into 4 equal chunks, which a latent of {latent_size} numbers "
        f"(latent_size and codes) is not a multiple of; the nearest allowed {nearest}"
    )
    message = re.escape(message)
    with pytest.raises(ValueError, match=message):
        _shapes(BigGANGenerator(SHAPE), jnp.ones((2, latent_size)))
    options = {"family": "biggan", "width": 1, "latent_size": latent_size}
    with pytest.raises(ValueError, match=message):
        make_generator(GeneratorOptions(**options), SHAPE)
    make_generator(GeneratorOptions(**options, hierarchical=False), SHAPE)
    network = BigGANGenerator(SHAPE, 1, hierarchical=False)
    assert _shapes(network, jnp.ones((2, latent_size)))[0].shape == (2, *SHAPE)


def test_maps_that_attention_cannot_follow():
    with pytest.raises(
        ValueError, match="attention=4, and blocks give maps of 8, 16, 32 pixels a side; allowed"
    ):
        BigGANGenerator(SHAPE, attention=4)
    message = "attention=32, and blocks give maps of 8, 16 pixels a side; allowed"
    with pytest.raises(ValueError, match=message):
        _shapes(BigGANDiscriminator(attention=32), IMAGES)
    with pytest.raises(ValueError, match=message):
        make_discriminator(DiscriminatorOptions(family="biggan", attention=32), SHAPE)


@pytest.mark.parametrize(
    ("network", "options", "message"),
    [
        (BigGANGenerator, {"width": 0}, "BigGANGenerator has width=0"),
        (BigGANGenerator, {"attention": -1}, "BigGANGenerator has attention=-1; allowed is 0"),
        (BigGANGenerator, {"shared_size": 0}, "BigGANGenerator has shared_size=0; allowed is 1"),
        (BigGANGenerator, {"normalization": "group"}, "normalization='group'; allowed is 'batch'"),
        (BigGANDiscriminator, {"dropout": 1.0}, "dropout=1.0; allowed is 0 <= dropout < 1"),
        (BigGANDiscriminator, {"attention": -1}, "BigGANDiscriminator has attention=-1"),
        (BigGANDiscriminator, {"normalization": "layer"}, "normalization is 'layer'"),
    ],
)
def test_options_out_of_range(network, options, message):
    shape = {"shape": SHAPE} if network is BigGANGenerator else {}
    with pytest.raises(ValueError, match=message):
        network(**shape, **options)


def test_options_of_the_family_are_heard():
    def params(make, options, inputs):
        network = make(options, SHAPE, 3)
        return jax.eval_shape(network.init, jax.random.key(0), inputs, LABELS).params

    common = {"family": "biggan", "width": 2}
    options = GeneratorOptions(**common, latent_size=8, attention=8, shared_size=7)
    found = params(make_generator, options, LATENTS)
    assert found["Embed_0"]["embedding"].shape == (3, 7)
    assert found["SelfAttention_0"]["query"]["kernel"].shape == (8, 1)
    assert found["UpBlock_2"]["ConditionalBatchNorm_0"]["gain"]["kernel"].shape == (9, 8)
    options = GeneratorOptions(**common, latent_size=8, hierarchical=False)
    found = params(make_generator, options, LATENTS)
    assert found["DenseGeneral_0"]["kernel"].shape == (8, 4, 4, 8)
    options = DiscriminatorOptions(**common, normalization="none", attention=16)
    found = params(make_discriminator, options, IMAGES)
    assert found["SelfAttention_0"]["value"]["kernel"].shape == (8, 4)
