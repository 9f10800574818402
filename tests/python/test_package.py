"""The package: what it exports, imports and says of itself."""

import os
import pathlib
import subprocess
import sys

import pytest

import sgpt
from conftest import run_program, run_python

FOLDER = pathlib.Path(sgpt.__file__).parent
MODULE = pathlib.Path(sgpt._sgpt.__file__)


def test_version_is_the_programs():
    assert run_program("--version").strip().endswith(sgpt.__version__)


def test_every_name_has_a_docstring():
    for name in sgpt.__all__:
        if name != "__version__":
            assert getattr(sgpt, name).__doc__, name
    for name, member in vars(sgpt.SentenceTransformer).items():
        if not name.startswith("_") and (callable(member) or isinstance(member, property)):
            assert member.__doc__, name


def test_only_numpy_is_imported():
    code = (
        "import sys, sgpt; print([m for m in ('torch', 'tqdm', 'pandas', 'sentence_transformers') if m in sys.modules])"
    )
    done = run_python(code)
    assert done.returncode == 0 and done.stdout.strip() == "[]", done.stderr


def test_the_module_exports_little():
    symbols = subprocess.run(["nm", "-D", "--defined-only", MODULE], capture_output=True, text=True, check=True).stdout
    names = [line.split()[-1] for line in symbols.splitlines()]
    assert "PyInit__sgpt" in names and len(names) < 100
    assert not [name for name in names if "fmt" in name or "simdjson" in name or "4sgpt" in name]


@pytest.fixture
def mypy():
    pytest.importorskip("mypy", reason="python3-mypy is not installed")


def test_the_stub_is_the_modules(mypy, tmp_path):
    allowed = tmp_path / "allowed"  # what every class that pybind11 makes has
    allowed.write_text("sgpt\\._sgpt\\.(Encoder|Tokenizer)(\\.__init__)?\n")
    command = [sys.executable, "-m", "mypy.stubtest", "--allowlist", allowed, "--ignore-unused-allowlist", "sgpt._sgpt"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_package_is_typed(mypy, tmp_path):
    assert (FOLDER / "py.typed").exists()
    command = [sys.executable, "-m", "mypy", "--ignore-missing-imports", "--cache-dir", tmp_path, "-p", "sgpt"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=FOLDER.parent)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_caller_is_checked(mypy, tmp_path):
    (tmp_path / "caller.py").write_text("import sgpt\nsgpt.Encoder('x').encode(5)\nsgpt.train(lr='1')\n")
    command = [sys.executable, "-m", "mypy", "--ignore-missing-imports", "--cache-dir", tmp_path / "cache", "caller.py"]
    where = {**os.environ, "MYPYPATH": str(FOLDER.parent)}
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=where)
    assert 'incompatible type "int"' in done.stdout and "Missing named argument" in done.stdout, done.stdout


def test_a_missing_libgomp_is_named():
    code = """
import importlib.abc, sys
class Without(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == "sgpt._sgpt":
            raise ImportError("libgomp.so.1: cannot open shared object file: No such file or directory")
sys.meta_path.insert(0, Without())
import sgpt
"""
    done = run_python(code)
    assert done.returncode == 1 and "install the package libgomp1" in done.stderr
