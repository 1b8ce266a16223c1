"""Nothing that is read is run, fills the memory, or leads out of the folder it was given in."""

import ast
import io
import json
import os
import pickle
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import jaxgan
from jaxgan.cli import main as cli
from jaxgan.data import Spec, files, open_domain, open_source
from jaxgan.devices.compilation import FOLDER, kept_programs
from jaxgan.experiment import Experiment
from jaxgan.experiment.folders import plan_folder
from jaxgan.options import to_dict
from jaxgan.runs import record as run

ROOT = Path(jaxgan.__file__).parent
PROGRAMS = {file: ast.parse(file.read_text()) for file in sorted(ROOT.rglob("*.py"))}
UNPICKLING = {"pickle", "dill", "joblib", "cloudpickle", "marshal", "shelve", "_pickle"}
EVALUATING = {"eval", "exec", "compile", "__import__"}


def nodes(kind: type) -> Iterator[tuple[str, ast.AST]]:
    """All nodes of a kind in the package, each with where it is."""
    for file, program in PROGRAMS.items():
        for node in ast.walk(program):
            if isinstance(node, kind):
                yield f"{file.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}", node


# The source


def test_no_module_imports_what_unpickles():
    found = {where: {a.name.split(".")[0] for a in node.names} for where, node in nodes(ast.Import)}
    found |= {where: {str(node.module).split(".")[0]} for where, node in nodes(ast.ImportFrom)}
    assert len(found) > 100
    unpickling = {where: names & UNPICKLING for where, names in found.items() if names & UNPICKLING}
    # One file, of published weights, is a pickle: read by an unpickler that knows arrays alone.
    assert [where.split(":")[0] for where in unpickling] == ["networks/pretrained.py"]


def test_the_one_unpickler_knows_arrays_alone():
    """Its module names nothing of pickle but the class that it restricts."""
    [(_, tree)] = [
        (where, node)
        for where, node in nodes(ast.ClassDef)
        if where.startswith("networks/pretrained.py") and node.name == "_ArrayUnpickler"
    ]
    assert [function.name for function in tree.body if isinstance(function, ast.FunctionDef)] == [
        "find_class"
    ]
    used = {
        node.attr
        for where, node in nodes(ast.Attribute)
        if where.startswith("networks/pretrained.py")
        and isinstance(node.value, ast.Name)
        and node.value.id == "pickle"
    }
    assert used <= {"Unpickler", "UnpicklingError"}


def test_nothing_is_evaluated():
    called = [
        (where, node.func.id)
        for where, node in nodes(ast.Call)
        if isinstance(node.func, ast.Name) and node.func.id in EVALUATING
    ]
    assert not called


def test_code_is_run_from_experiment_files_only():
    run_by = [w for w, node in nodes(ast.Attribute) if node.attr in ("exec_module", "runpy")]
    assert [where.split(":")[0] for where in run_by] == ["runs/record.py"]


def test_one_place_imports_what_a_file_names():
    """Any other module's name is written out; for what that place imports see below."""
    found = {
        where.split(":")[0]: ast.unparse(node.args[0])
        for where, node in nodes(ast.Call)
        if ast.unparse(node.func) in ("import_module", "importlib.import_module")
    }
    assert found.pop("runs/record.py") == "module"
    assert found
    assert all(name[:1] + name[-1:] == "''" for name in found.values()), found


def test_every_load_refuses_pickles():
    """Each call of NumPy's readers says so itself: a default may change."""
    calls = [
        (where, {word.arg: ast.unparse(word.value) for word in node.keywords})
        for where, node in nodes(ast.Call)
        if ast.unparse(node.func) in ("np.load", "numpy.load", "np.lib.format.read_array")
    ]
    assert len(calls) >= 3
    assert all(words.get("allow_pickle") == "False" for _, words in calls), calls
    assert not [w for w, node in nodes(ast.Attribute) if node.attr in ("fromregex", "open_memmap")]


# Data


class Trap:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return Path.touch, (self.path,)


def test_an_array_of_objects_is_refused_and_does_nothing(tmp_path):
    sprung = tmp_path / "sprung"
    pickle.loads(pickle.dumps(Trap(sprung)))
    sprung.unlink()  # The trap works.
    np.savez(tmp_path / "data.npz", images=np.array([Trap(sprung)], object))
    with pytest.raises(ValueError, match="Python objects"):
        open_source(str(tmp_path / "data.npz"))
    assert not sprung.exists()


def test_an_archive_that_unpacks_to_more_than_memory_is_refused_unread(tmp_path, monkeypatch):
    path = tmp_path / "data.npz"
    np.savez_compressed(path, images=np.zeros((1000, 64, 64, 3), np.uint8))
    assert path.stat().st_size < 100_000
    monkeypatch.setattr(files, "machine_memory", lambda: 10_000_000)
    monkeypatch.setattr(np, "load", lambda *args, **options: pytest.fail("it was read"))
    with pytest.raises(ValueError, match=r"data\.npz unpacks to 0 GB, and this machine has 0 GB"):
        open_source(str(path))


def test_arrays_that_are_not_read_do_not_count(tmp_path, monkeypatch):
    path = tmp_path / "data.npz"
    np.savez_compressed(path, points=np.zeros((5, 2)), extra=np.zeros(10_000_000, np.uint8))
    monkeypatch.setattr(files, "machine_memory", lambda: 1_000_000)
    assert len(open_source(str(path))) == 5


def test_a_header_that_claims_more_than_there_is_ends_in_a_sentence(tmp_path):
    """The array's own header, which the archive's directory knows nothing of."""
    header = io.BytesIO()
    claimed = {"descr": "|u1", "fortran_order": False, "shape": (1 << 40, 64, 64, 3)}
    np.lib.format.write_array_header_1_0(header, claimed)
    with zipfile.ZipFile(tmp_path / "data.npz", "w") as archive:
        archive.writestr("images.npy", header.getvalue() + bytes(100))
    with pytest.raises(ValueError, match=r"data\.npz cannot be read") as error:
        open_source(str(tmp_path / "data.npz"))
    assert "\n" not in str(error.value)


# Links


def write_image(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8)).save(path)


@pytest.mark.parametrize("link", ["set/b.png", "set/cats", "set/train"])
def test_a_link_out_of_a_folder_is_refused(tmp_path, link):
    write_image(tmp_path / "else" / "a.png")
    (tmp_path / "set").mkdir()
    target = tmp_path / "else" / ("a.png" if link.endswith(".png") else "")
    (tmp_path / link).symlink_to(target)
    with pytest.raises(ValueError, match=r"is a link that leads out of"):
        open_source(str(tmp_path / "set"))


@pytest.mark.parametrize("link", ["set/trainA", "set/trainA/a.png"])
def test_a_link_out_of_a_domain_is_refused(tmp_path, link):
    write_image(tmp_path / "else" / "a.png")
    write_image(tmp_path / "set" / "trainB" / "a.png")
    (tmp_path / link).parent.mkdir(exist_ok=True)
    (tmp_path / link).symlink_to(tmp_path / "else" / ("a.png" if link.endswith(".png") else ""))
    assert len(open_domain(str(tmp_path / "set"), "B")) == 1
    with pytest.raises(ValueError, match=r"is a link that leads out of"):
        open_domain(str(tmp_path / "set"), "A")


@pytest.mark.parametrize("target", ["else/a.png", "else", "nowhere"])
def test_a_link_out_of_a_folder_to_translate_is_refused(tmp_path, target):
    write_image(tmp_path / "else" / "a.png")
    write_image(tmp_path / "in" / "a.png")
    (tmp_path / "in" / "b.png").symlink_to(tmp_path / "in" / "a.png")
    assert len(plan_folder(tmp_path / "in", tmp_path / "out").files) == 2
    (tmp_path / "in" / "c.png").symlink_to(tmp_path / target)
    with pytest.raises(ValueError, match=r"c\.png is a link that leads out of"):
        plan_folder(tmp_path / "in", tmp_path / "out")


# What is run


MARKING = """
from dataclasses import dataclass
from pathlib import Path
from jaxgan.experiment import Experiment
Path(__file__).with_name("was_run").touch()

@dataclass(frozen=True)
class Own(Experiment):
    ratio: float = 2.0

experiment = Own()
"""


@pytest.fixture
def planted(tmp_path, monkeypatch):
    """A run as someone else may hand it over, and the code in it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(MARKING)
    experiment = run.load_file(tmp_path / "mine.py")
    (tmp_path / "was_run").unlink()
    run.create(tmp_path / "theirs", experiment, [Spec((8, 8, 1), 10)])
    monkeypatch.delitem(sys.modules, type(experiment).__module__)  # As in another process.
    (tmp_path / "theirs" / "code.py").write_text(MARKING)
    return tmp_path / "theirs"


def change(planted: Path, **entries: object) -> None:
    """Changes entries of a run's record."""
    path = planted / "experiment.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | entries))


def change_spec(planted: Path, **entries: object) -> None:
    """Changes entries of the one spec in a run's record."""
    (spec,) = json.loads((planted / "experiment.json").read_text())["specs"]
    change(planted, specs=[spec | entries])


def test_a_class_outside_the_run_is_loaded(planted):
    assert run.read(planted)[0].ratio == 2
    assert (planted.parent / "was_run").exists()


INSIDE = [
    "code.py",
    "theirs/code.py",
    "./theirs/code.py",
    "{run}/code.py",
    "{run}/../theirs/code.py",
    "{run}/samples/../code.py",
    "{run}/../link.py",
    "",
    ["code.py"],
]


def at(planted: Path, file: object) -> object:
    """One of `INSIDE`, of this run, to which a link leads too."""
    if not (planted.parent / "link.py").is_symlink():
        (planted.parent / "link.py").symlink_to(planted / "code.py")
    return file.replace("{run}", str(planted)) if isinstance(file, str) else file


def refused(command: str, planted: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """What a command says that refuses the run, and has run no code of it or of anyone's."""
    assert cli.main(command.replace("{run}", str(planted)).split()) == 2
    output, error = capsys.readouterr()
    assert output == ""
    assert error.startswith("jaxgan: ")
    assert error.count("\n") == 1
    assert not list(planted.parent.rglob("was_run"))
    return error


@pytest.mark.parametrize("file", INSIDE)
@pytest.mark.parametrize("command", ["sample {run} --out a.png", "diagnose {run}", "resume {run}"])
def test_code_inside_a_run_is_not_run(planted, capsys, file, command):
    change(planted, file=at(planted, file))
    error = refused(command, planted, capsys)
    assert "must be an absolute path outside the run directory" in error


@pytest.mark.parametrize("file", INSIDE)
@pytest.mark.parametrize("command", ["sample {run} --out a.png", "interpolate {run} --out a.gif"])
def test_code_inside_a_run_is_not_run_for_the_spec_of_its_data(planted, capsys, file, command):
    change(planted, **{"class": "jaxgan.experiment.generation:Experiment", "file": None})
    change(planted, experiment=to_dict(Experiment()))
    change_spec(planted, file=at(planted, file))
    error = refused(command, planted, capsys)
    assert "must be an absolute path outside the run directory" in error


NO_CLASS = [
    ("jaxgan.options:flat", ", which is none"),  # A function
    ("jaxgan.options:AtLeast", ", which is none"),  # A class of something else
    ("jaxgan.nothing:X", ", which is none"),
    ("jaxgan.experiment.generation:os.system", ", which is none"),
    ("jaxgan.experiment.generation:", " and no file that has it"),
    ("jaxgan:", " and no file that has it"),
    ("os:system", " and no file that has it"),
    ("subprocess:Popen", " and no file that has it"),
    ("jaxganx:Experiment", " and no file that has it"),
    ("mine:Own", " and no file that has it"),
    (".:mine", " and no file that has it"),
    ("", " and no file that has it"),
    (7, " and no file that has it"),
    (["os:system"], " and no file that has it"),
    (None, " and no file that has it"),
]
"""What a record may name for the class of an experiment or of a spec, and is neither."""


@pytest.mark.parametrize(("place", "says"), NO_CLASS)
@pytest.mark.parametrize("command", ["sample {run} --out a.png", "diagnose {run}", "resume {run}"])
def test_only_a_class_of_experiments_is_taken_for_one(planted, capsys, place, says, command):
    change(planted, **{"class": place, "file": None})
    error = refused(command, planted, capsys)
    assert error.endswith(f"theirs/experiment.json names the class {place!r}{says}\n")


@pytest.mark.parametrize(("place", "says"), NO_CLASS)
def test_only_a_class_of_specs_is_taken_for_one(planted, capsys, place, says):
    change(planted, **{"class": "jaxgan.experiment.generation:Experiment", "file": None})
    change(planted, experiment=to_dict(Experiment()))
    change_spec(planted, **{"class": place})
    error = refused("sample {run} --out a.png", planted, capsys)
    assert error.endswith(f"theirs/experiment.json names the class {place!r}{says}\n")


@pytest.mark.parametrize(
    "place", ["mine:Experiment", "mine:Path", "mine:experiment", "mine:nothing"]
)
def test_a_file_outside_the_run_must_have_the_class(planted, place):
    """That file is the user's own: it is run, and only a class of experiments is taken from it."""
    change(planted, **{"class": place})
    if place == "mine:Experiment":  # One that the file imports is a class of experiments too.
        with pytest.raises(ValueError, match="Experiment has no option ratio"):
            run.read(planted)
    else:
        with pytest.raises(ValueError, match=r"names the class 'mine:\w+' of .*, which is none"):
            run.read(planted)


def test_a_run_whose_folder_is_a_link_is_still_that_run(planted):
    (planted.parent / "alias").symlink_to(planted)
    change(planted, file=str(planted / "code.py"))
    with pytest.raises(ValueError, match="outside the run directory"):
        run.read(planted.parent / "alias")
    change(planted, file=str(planted.parent / "alias" / "code.py"))
    with pytest.raises(ValueError, match="outside the run directory"):
        run.read(planted)


def test_an_experiment_file_leaves_no_bytecode_behind(tmp_path):
    (tmp_path / "mine.py").write_text("from jaxgan.experiment import DIGITS as experiment\n")
    run.load_file(tmp_path / "mine.py")
    assert os.listdir(tmp_path) == ["mine.py"]


def make_nowhere(folder: Path) -> None:
    folder.symlink_to("nowhere")


def make_for_the_group(folder: Path) -> None:
    folder.mkdir()
    folder.chmod(0o710)


@pytest.mark.usefixtures("no_cache_yet")
@pytest.mark.parametrize("make", [make_nowhere, make_for_the_group])
def test_programs_are_kept_where_nobody_else_can_put_them(tmp_path, make):
    """See also test_compilation.py."""
    make(tmp_path / FOLDER)
    before = os.lstat(tmp_path / FOLDER).st_mode
    with (
        pytest.warns(UserWarning, match="compiled programs are not kept"),
        kept_programs(tmp_path / "run"),
    ):
        pass
    assert os.lstat(tmp_path / FOLDER).st_mode == before
    assert not (tmp_path / "nowhere").exists()


# What vanishes in mid-run


VANISHING = """
from dataclasses import dataclass
from jaxgan.data import ArraySource
from jaxgan.experiment import DiscriminatorOptions, Experiment, GeneratorOptions

class Share(ArraySource):
    \"\"\"A network's folder that is gone after some reads.\"\"\"
    reads = 0

    def take(self, indices):
        self.reads += 1
        if self.reads > 6:
            raise OSError(5, "Input/output error", "/share/images.npy")
        return super().take(indices)

@dataclass(frozen=True)
class Vanishing(Experiment):
    def open_source(self, split="train"):
        return Share("share", super().open_source(split).host["real"], device_limit=0)

experiment = Vanishing(
    steps=9, batch_size=8, checkpoint_every=2, sample_every=100,
    generator=GeneratorOptions(family="mlp", width=8, normalization="none", latent_size=4),
    discriminator=DiscriminatorOptions(family="mlp", width=8, normalization="none"),
)
"""


def test_data_that_vanish_end_the_run_with_a_line_and_a_checkpoint(tmp_path, capfd, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text(VANISHING)
    capfd.readouterr()
    assert cli.main(["train", "mine.py", "--out", "new"]) == 1
    assert capfd.readouterr().err == (
        "jaxgan: stopped after step 5: /share/images.npy: Input/output error; step 4 is saved, "
        "go on with: jaxgan resume new\n"
    )
    assert run.newest_step(Path("new")) == 4
    assert cli.main(["sample", "new", "--step", "4", "--out", "a.npz"]) == 0
    assert capfd.readouterr().err == ""
    assert isinstance(run.read(Path("new"))[0], Experiment)
