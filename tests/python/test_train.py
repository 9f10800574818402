"""Training: the program's file, byte for byte, and what ends a run early."""

import json
import pathlib
import signal
import subprocess
import sys

import pytest

import sgpt
from conftest import run_program

OPTIONS = {
    "pooling": "weightedmean",
    "specb": True,
    "freezenonbias": True,
    "train_batch_size": 4,
    "epochs": 2,
    "lr": 1e-3,
}
FLAGS = [
    "--pooling",
    "weightedmean",
    "--specb",
    "--freezenonbias",
    "--train_batch_size",
    "4",
    "--epochs",
    "2",
    "--lr",
    "1e-3",
]


@pytest.fixture
def data(tmp_path):
    file = tmp_path / "train.jsonl"
    lines = ({"query": f"where is {i}", "positive": f"the ring {i}", "negative": f"a cat {i}"} for i in range(40))
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return file


def weights(folder):
    return {file.name: file.read_bytes() for file in pathlib.Path(folder).iterdir() if file.suffix == ".safetensors"}


def test_the_programs_file(folder, data, tmp_path):
    files = ("--model_name", folder, "--train_data", data, "--model_save_path", tmp_path / "theirs")
    run_program("train", *files, *FLAGS)
    steps = []
    result = sgpt.train(
        model_name=folder, train_data=data, model_save_path=tmp_path / "ours", on_step=steps.append, **OPTIONS
    )
    assert weights(tmp_path / "ours") == weights(tmp_path / "theirs") != {}
    assert result["steps"] == len(steps) == 20 and result["examples"] == 40 and not result["was_finished"]
    assert [step["step"] for step in steps] == list(range(20)) and steps[-1]["loss"] == result["last_loss"]
    model = sgpt.SentenceTransformer(tmp_path / "ours")
    assert model.encoder.options["brackets"] and model.encode_query("the ring").shape == (24,)
    again = sgpt.train(model_name=folder, train_data=data, model_save_path=tmp_path / "ours", resume=True, **OPTIONS)
    assert again["was_finished"]


@pytest.mark.parametrize("failure", [LookupError("of on_step"), KeyboardInterrupt()])
def test_what_on_step_raises_is_raised_after_a_checkpoint(folder, data, tmp_path, failure):
    files = {"model_name": folder, "train_data": data, "model_save_path": tmp_path / "out"}
    sgpt.train(**{**files, "model_save_path": tmp_path / "whole"}, **OPTIONS)

    def fail(step):
        if step["step"] == 6:
            raise failure

    with pytest.raises(type(failure)):
        sgpt.train(**files, on_step=fail, **OPTIONS)
    assert not (tmp_path / "out").exists()
    assert [path.name for path in (tmp_path / "out.checkpoints").iterdir()] == ["step-7"]
    assert sgpt.train(**files, resume=True, **OPTIONS)["resumed_at"] == 7
    assert weights(tmp_path / "out") == weights(tmp_path / "whole")


def test_interrupts_at_any_moment(folder, data, tmp_path):
    code = """
import sys, sgpt
try:
    sgpt.train(model_name=sys.argv[1], train_data=sys.argv[2], model_save_path=sys.argv[3], pooling="weightedmean",
               train_batch_size=4, epochs=400, resume=True, on_step=lambda step: print(step["step"], flush=True))
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""
    for after in (1, 40):
        child = subprocess.Popen(
            [sys.executable, "-c", code, folder, data, tmp_path / "out"], stdout=subprocess.PIPE, text=True
        )
        for _ in range(after):
            assert child.stdout.readline()
        child.send_signal(signal.SIGINT)
        rest = child.communicate(timeout=60)[0]
        assert rest.endswith("interrupted\n") and child.returncode == 0
        steps = [int(line) for line in rest.split()[:-1]]
        saved = max(int(path.name.split("-")[1]) for path in (tmp_path / "out.checkpoints").iterdir())
        assert not steps or saved == steps[-1] + 1


@pytest.mark.parametrize(
    "options, sentence",
    [
        ({"pooling": "median"}, "there are cls, max"),
        ({"lr": -1}, "lr is -1; expected a number of 0 or more"),
        ({"epochs": 0}, "epochs is 0"),
        ({"chunksize": 4}, "need gradcache"),
        ({"chunksize": "all", "gradcache": True}, "chunksize is 'all'"),
        ({"dtype": "int8"}, "there are auto, f32 and bf16"),
        ({"scheduler": "sometimes"}, "sometimes"),
        ({"train_data": "/none.jsonl"}, "none.jsonl"),
        ({"model_name": "/none"}, "no such folder"),
        ({"query_prompt": 1}, "query_prompt is 1"),
        ({"no_checkpoints": True, "checkpoint_save_steps": 3}, "exclude each other"),
    ],
)
def test_wrong_options(folder, data, tmp_path, options, sentence):
    with pytest.raises(sgpt.UserError, match=sentence):
        sgpt.train(**{"model_name": folder, "train_data": data, "model_save_path": tmp_path / "out", **options})
    assert not (tmp_path / "out").exists()


def test_unknown_keywords(folder, data, tmp_path):
    with pytest.raises(TypeError, match="batch_size"):
        sgpt.train(model_name=folder, train_data=data, model_save_path=tmp_path / "out", batch_size=3)
