"""Processes that embed together. They are spawned, not forked, and each has its part of the cores."""

import os
import queue
import signal
from typing import Any, Dict, List, Optional, Sequence

import numpy as np

from ._encoder import Encoder
from ._errors import MachineError, UserError
from ._texts import whole_number

_USUAL_CHUNK = 512  # texts


def _work(model: str, arguments: Dict[str, Any], jobs: Any, results: Any) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the caller, who ends the pool or goes on with it
    try:
        encoder = Encoder.__new__(Encoder)
        encoder._set_up(model, arguments, share=False)
    except Exception as error:
        results.put((None, error))
        return
    while True:
        job = jobs.get()
        if job is None:
            return
        place, texts, kind, options = job
        try:
            results.put((place, encoder._embed(texts, kind, **options)))
        except Exception as error:
            results.put((place, error))


def start(encoder: Encoder, count: int) -> Dict[str, Any]:
    """{"input", "output", "processes"}, as sentence-transformers has it."""
    import multiprocessing

    if count < 1:
        raise UserError("a pool needs a process at least")
    context = multiprocessing.get_context("spawn")
    jobs, results = context.Queue(), context.Queue()
    arguments = {**encoder._arguments, "options": dict(encoder._arguments["options"])}
    arguments["options"].setdefault("threads", max(1, len(os.sched_getaffinity(0)) // count))
    given = (encoder._model, arguments, jobs, results)
    processes = [context.Process(target=_work, args=given, daemon=True) for _ in range(count)]
    for process in processes:
        process.start()
    return {"input": jobs, "output": results, "processes": processes}


def stop(pool: Dict[str, Any]) -> None:
    """Ends the processes of a pool."""
    for process in pool["processes"]:
        process.terminate()
    for process in pool["processes"]:
        process.join()
        process.close()
    for name in ("input", "output"):
        pool[name].cancel_join_thread()
        pool[name].close()
    pool["processes"] = []


def _result(pool: Dict[str, Any]) -> Any:
    while True:
        try:
            return pool["output"].get(timeout=1)
        except queue.Empty:
            if not any(process.is_alive() for process in pool["processes"]):
                raise MachineError("the processes of the pool have ended") from None


def embed(pool: Any, texts: Sequence[str], kind: str, options: Dict[str, Any], chunk_size: Optional[int]) -> np.ndarray:
    """What one process would give, float32 [texts, d]."""
    if not isinstance(pool, dict) or not pool.get("processes"):
        raise UserError("pool is none that runs; expected what start_multi_process_pool gave")
    size = whole_number(chunk_size, "chunk_size") if chunk_size is not None else _USUAL_CHUNK
    starts = range(0, len(texts), size) if len(texts) else range(1)
    # Numbered, for an earlier call may have been interrupted, whose results are still to come.
    call = pool["calls"] = pool.get("calls", 0) + 1
    for number, first in enumerate(starts):
        pool["input"].put(((call, number), list(texts[first : first + size]), kind, options))
    parts: List[Any] = [None] * len(starts)
    failure: Optional[Exception] = None
    missing = len(starts)
    while missing:
        place, part = _result(pool)
        if place is None:
            raise part
        if place[0] != call:
            continue
        missing -= 1
        if isinstance(part, Exception):
            failure = failure or part
        else:
            parts[place[1]] = part
    if failure:
        raise failure
    return np.concatenate(parts)
