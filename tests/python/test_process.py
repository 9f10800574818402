"""The interpreter's world: forks, pickles, pools, signals, threads, log lines."""

import copy
import gc
import logging
import multiprocessing
import os
import pickle
import signal
import threading
import time

import numpy as np
import pytest

import sgpt
from conftest import TEXTS, run_python

MANY = [f"the text number {i} and the ring" for i in range(200)]


def in_child(work, seconds=60):
    """Runs `work` in a forked child, which a hang ends by SIGALRM. Its exit status."""
    child = os.fork()
    if child == 0:
        signal.alarm(seconds)
        try:
            os._exit(0 if work() else 1)
        except BaseException:
            os._exit(2)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_fork_after_use_and_after_load(folder, model):
    expected = model.encode(MANY)
    assert in_child(lambda: np.array_equal(model.encode(MANY), expected)) == 0
    assert np.array_equal(model.encode(MANY), expected)
    loaded = sgpt.SentenceTransformer(folder, dtype="f32", threads=2)
    assert in_child(lambda: np.array_equal(loaded.encode(MANY), expected)) == 0
    assert in_child(lambda: in_child(lambda: np.array_equal(model.encode(MANY), expected)) == 0) == 0


def test_fork_while_another_thread_encodes(model):
    expected = model.encode(MANY)
    over = threading.Event()
    wrong = []

    def work():
        while not over.is_set():
            if not np.array_equal(model.encode(MANY), expected):
                wrong.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        for _ in range(60):
            assert in_child(lambda: np.array_equal(model.encode(MANY), expected)) == 0
    finally:
        over.set()
        thread.join()
    assert not wrong


def embed(model, texts):
    return model.encode(texts)


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_multiprocessing(model, method):
    with multiprocessing.get_context(method).Pool(2) as pool:
        results = pool.starmap_async(embed, [(model, MANY[:50])] * 4).get(timeout=100)
    for result in results:
        assert np.array_equal(result, model.encode(MANY[:50]))


def test_a_pool_of_our_own(model):
    pool = model.start_multi_process_pool(["cpu", "cpu"])
    try:
        whole = model.encode(MANY, normalize_embeddings=True)
        got = model.encode_multi_process(MANY, pool, chunk_size=30, normalize_embeddings=True)
        assert got.tobytes() == whole.tobytes()
        assert model.encode([], pool=pool).shape == (0,)
        with pytest.raises(sgpt.UserError, match="is None; expected str"):
            model.encode([*MANY, None], pool=pool, chunk_size=30)
        assert np.array_equal(
            model.encode(MANY[:5], pool=pool), model.encode(MANY[:5])
        )  # nothing is left of the failure
        threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
        with pytest.raises(KeyboardInterrupt):
            model.encode(MANY * 200, pool=pool)
            time.sleep(60)
        assert np.array_equal(model.encode(MANY[:5], pool=pool), model.encode(MANY[:5]))  # nor of an interrupt
    finally:
        model.stop_multi_process_pool(pool)
    with pytest.raises(sgpt.UserError, match="none that runs"):
        model.encode("a", pool=pool)


def test_pickle_and_copy(folder):
    model = sgpt.SentenceTransformer(
        folder, brackets=True, prompts={"sts": "x"}, truncate_dim=9, similarity_fn_name="dot"
    )
    model.max_seq_length = 8
    data = pickle.dumps(model)
    assert len(data) < 1000
    for other in (pickle.loads(data), copy.copy(model), copy.deepcopy(model)):
        assert other.encoder._encoder is model.encoder._encoder  # that which is loaded
        assert (other.prompts, other.truncate_dim, other.similarity_fn_name) == (model.prompts, 9, "dot")
        assert other.max_seq_length == 8
        assert np.array_equal(other.encode_query(TEXTS), model.encode_query(TEXTS))
    other.prompts["more"] = "y"
    assert "more" not in model.prompts


def test_a_token_is_in_no_pickle(folder):
    assert b"secret" not in pickle.dumps(sgpt.SentenceTransformer(folder, token="secret"))


def test_loaded_once_for_many_pickles(folder):
    data = pickle.dumps(sgpt.SentenceTransformer(folder, truncate_dim=3))
    gc.collect()
    first = pickle.loads(data).encoder._encoder
    assert pickle.loads(data).encoder._encoder is first


def test_closures_of_other_programs(folder):
    cloudpickle = pytest.importorskip("cloudpickle", reason="cloudpickle, of Ray and Spark, is not installed")
    model = sgpt.SentenceTransformer(folder)
    data = cloudpickle.dumps(lambda batch: {"e": model.encode_document(batch["text"])})
    assert len(data) < 3000
    batch = {"text": np.array(TEXTS, object)}
    assert np.array_equal(pickle.loads(data)(batch)["e"], model.encode_document(TEXTS))


def test_interrupt(model):
    texts = [f"the text number {i} and the ring in the air on the cat" for i in range(400000)]
    threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        model.encode(texts)
        time.sleep(60)  # where the machine was faster than the timer
    assert time.monotonic() - start < 30
    assert model.encode("a").shape == (24,)


def test_threads_of_python_go_on(model):
    texts = [f"the text number {i} and the ring in the air on the cat" for i in range(20000)]
    turns = 0
    over = threading.Event()

    def count():
        nonlocal turns
        while not over.is_set():
            turns += 1
            time.sleep(0.001)

    thread = threading.Thread(target=count)
    thread.start()
    model.encode(texts)
    over.set()
    thread.join()
    assert turns > 20


def test_memory_is_given_back(model):
    def resident():
        with open("/proc/self/statm") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def work():
        for _ in range(1500):
            model.encode_query("the ring")
            try:
                model.encode(["a", None])
            except sgpt.UserError:
                pass

    work()
    before = resident()
    work()
    assert resident() - before < 4 << 20


def test_log_lines(folder, tmp_path, caplog, capfd):
    with caplog.at_level(logging.INFO, "sgpt"):
        sgpt.SentenceTransformer(folder)
    assert any("special brackets" in record.message for record in caplog.records)
    assert {record.name for record in caplog.records} == {"sgpt"}
    assert capfd.readouterr().err == ""


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_handler_that_fails_ends_nothing(folder):
    class Failing(logging.Handler):
        def emit(self, record):
            raise OSError("of the handler")

    handler = Failing()
    logger = logging.getLogger("sgpt")
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        assert sgpt.SentenceTransformer(folder).encode("a").shape == (24,)
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)


def test_progress_bars(folder):
    pytest.importorskip("tqdm")
    code = """
import logging, sys, sgpt
model = sgpt.SentenceTransformer(sys.argv[1])
model.encode(["a"] * 10, show_progress_bar=True)
print("--", file=sys.stderr)
model.encode(["a"] * 10)
print("--", file=sys.stderr)
logging.getLogger("sgpt").setLevel(logging.INFO)
model.encode(["a"] * 10)
"""
    done = run_python(code, folder)
    assert done.returncode == 0, done.stderr
    asked, quiet, at_info = done.stderr.split("--\n")
    assert "10/10" in asked and quiet == "" and "10/10" in at_info


def test_openmp_waits_passively_unless_told_otherwise(folder):
    code = "import os, sgpt; print(os.environ.get('OMP_WAIT_POLICY'))"
    environment = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
    shown = run_python(code, OMP_DISPLAY_ENV="TRUE", OMP_WAIT_POLICY="active")
    assert "ACTIVE" in shown.stderr and shown.stdout.strip() == "active"
    import subprocess
    import sys

    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={**environment, "OMP_DISPLAY_ENV": "TRUE"}
    )
    assert "PASSIVE" in done.stderr and done.stdout.strip() == "None"  # and programs that it starts do not inherit it
