"""What the tests of the Python package share. ctest runs them: PYTHONPATH is the built package, SGPT_PROGRAM the program."""

import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

import sgpt

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = os.environ.get("SGPT_PROGRAM", str(REPOSITORY / "build" / "sgpt"))

TEXTS = [
    "How do I edit photos?",
    "a",
    "",
    "  white space,\naround and within  ",
    "Ünïcödé — 漢字 and 😀",
    "the cat and the hat " * 20,
    "[brackets] {typed} by hand",
    "in the ring and on",
]


def fixture_models():
    """Model folders of tests/golden, and of SGPT_FIXTURES or ../shared/fixtures where they are there."""
    named = os.environ.get("SGPT_FIXTURES")
    roots = [REPOSITORY / "tests" / "golden"]
    if named:
        roots += [pathlib.Path(root) for root in named.split(":") if root]
    else:
        roots += [REPOSITORY.parent / "shared" / "fixtures"]
    return [folder for root in roots for folder in sorted((root / "models").glob("*")) if folder.is_dir()]


def run_program(*arguments):
    done = subprocess.run([PROGRAM, *map(str, arguments)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def run_python(code, *arguments, seconds=60, **variables):
    """A fresh interpreter with the package; a hang is its end."""
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=seconds,
        env={**os.environ, **variables},
    )


@pytest.fixture
def program_encode(tmp_path):
    """What `sgpt encode` writes for texts: float32 [texts, d]."""

    def encode(model, texts, *options):
        texts_file, output = tmp_path / "texts.jsonl", tmp_path / "out.npy"
        texts_file.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts), encoding="utf-8")
        output.unlink(missing_ok=True)
        run_program("encode", "--model", model, "--input", texts_file, "--output", output, *options)
        return np.load(output)

    return encode


@pytest.fixture(scope="session")
def folder():
    return str(REPOSITORY / "tests" / "golden" / "models" / "golden-bloom")


@pytest.fixture(scope="session")
def model(folder):
    return sgpt.SentenceTransformer(folder)


@pytest.fixture(scope="session")
def bracket_model(folder):
    return sgpt.SentenceTransformer(folder, brackets=True)
