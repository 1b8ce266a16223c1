"""The programs of `experiments/theory`: their numbers against closed forms, and their pictures."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
from PIL import Image

FOLDER = Path(__file__).parents[1] / "experiments" / "theory"
PROGRAMS = ("dirac", "disjoint", "optimum", "saturation")


def program(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"theory_{name}", FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_all_are_here():
    assert tuple(sorted(path.stem for path in FOLDER.glob("*.py"))) == PROGRAMS


@pytest.mark.parametrize("name", PROGRAMS)
def test_each_opens_with_its_command(name):
    text = (FOLDER / f"{name}.py").read_text()
    assert f"    python experiments/theory/{name}.py [--out {name}.png]\n" in text


def test_the_minimax_gradient_vanishes_and_the_other_does_not(tmp_path):
    found = program("saturation").measure(tmp_path / "a.png")
    assert found["minimax, D = 1/2"] == pytest.approx(-0.5)
    assert found["minimax, D = 1e-6"] == pytest.approx(-1e-6, rel=1e-3)
    assert found["non-saturating, D = 1e-6"] == pytest.approx(1e-6 - 1)
    for name in ("minimax", "non-saturating"):
        assert found[f"{name}, largest relative error"] < 1e-4
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.size == (720, 420)


def test_the_bilinear_game_circles_and_r1_damps_it(tmp_path):
    dirac = program("dirac")
    found = dirac.measure(tmp_path / "a.png")
    for name, value in found.items():
        if "eigenvalues" in name:
            assert value < 1e-6, name
    growth = found["simultaneous, theory"]
    assert growth == pytest.approx((1 + 0.01) ** 250)
    assert found["simultaneous: last distance over the first"] == pytest.approx(growth, rel=1e-3)
    assert 0.5 < found["alternating: last distance over the first"] < 2
    assert found["alternating, averaged: distance over the first"] < 0.1
    assert found["with R1: last distance over the first"] < 1e-4
    assert (tmp_path / "a.png").exists()


@pytest.mark.slow
def test_the_best_discriminator_is_p_over_p_plus_q(tmp_path):
    found = program("optimum").measure(tmp_path / "a.png")
    assert found["largest error of D"] < 0.03
    assert found["loss"] == pytest.approx(found["log 4 - 2 JS"], abs=2e-3)
    assert found["largest |D - 1/2| where p = q"] < 0.03
    assert found["loss where p = q"] == pytest.approx(found["log 4"], abs=2e-3)


@pytest.mark.slow
def test_disjoint_densities_tell_a_critic_the_way_and_minimax_nothing(tmp_path):
    disjoint = program("disjoint")
    found = disjoint.measure(tmp_path / "a.png")
    for d in disjoint.DISTANCES:
        assert found[f"d = {d}: W by SciPy"] == pytest.approx(d, abs=1e-9)
        assert found[f"d = {d}: W by a critic"] == pytest.approx(d, rel=0.1, abs=0.05)
    for d in (2.0, 3.0):
        assert found[f"d = {d}: JS by a discriminator"] == pytest.approx(0.6931, abs=0.01)
        assert abs(found[f"d = {d}: gradient of minimax"]) < 0.01
        assert found[f"d = {d}: gradient of Wasserstein"] == pytest.approx(1, abs=0.15)
