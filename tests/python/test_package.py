"""The package: what it exports, imports and says of itself."""

import ast
import pathlib
import subprocess

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
    code = "import sys, sgpt; print([m for m in ('torch', 'tqdm', 'pandas', 'sentence_transformers') if m in sys.modules])"
    done = run_python(code)
    assert done.returncode == 0 and done.stdout.strip() == "[]", done.stderr


def test_the_module_exports_little():
    symbols = subprocess.run(["nm", "-D", "--defined-only", MODULE], capture_output=True, text=True, check=True).stdout
    names = [line.split()[-1] for line in symbols.splitlines()]
    assert "PyInit__sgpt" in names and len(names) < 100
    assert not [name for name in names if "fmt" in name or "simdjson" in name or "4sgpt" in name]


def test_the_package_is_typed():
    assert (FOLDER / "py.typed").exists()
    stub = ast.parse((FOLDER / "_sgpt.pyi").read_text())
    for node in stub.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            assert hasattr(sgpt._sgpt, node.name), node.name
            if isinstance(node, ast.ClassDef):
                for member in node.body:
                    if isinstance(member, ast.FunctionDef):
                        assert hasattr(getattr(sgpt._sgpt, node.name), member.name), member.name
    named = {node.name for node in stub.body if isinstance(node, (ast.FunctionDef, ast.ClassDef))}
    assert {name for name in vars(sgpt._sgpt) if not name.startswith("_")} - named <= {"version"}
