"""Hands what sgpt train records to the wandb client.

JSON lines come in on stdin, which is a socket; answers go back through it. The program carries this text and runs it as
`python3 -c`. It ends when told to, or when sgpt is gone; until then no signal ends it, as sgpt decides when a run ends.

  from sgpt  {"init": {"name", "id", "config"}}      {"step", "values": {tag: number}}
             {"step", "histograms": {tag: {"counts", "edges"}}}      {"finish": exit status of the run}
  to sgpt    {"imported": version}   {"ready": {"id", "url"}}   {"finished": true}   {"error": sentence}, then the end
"""

import json
import os
import signal
import sys


def take_stdin():
    """The socket under a number of its own, so that the client's processes do not inherit it."""
    channel = os.dup(0)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    return os.fdopen(channel, "rb"), os.fdopen(os.dup(channel), "wb")


def import_client():
    # ./wandb is where the client keeps its records, and no package.
    sys.path[:] = [folder for folder in sys.path if folder]
    import wandb

    return wandb


def settings(wandb):
    """Nothing is printed here that would be worth recording, and the process to measure is sgpt."""
    try:
        return wandb.Settings(console="off", x_stats_pid=os.getppid())
    except Exception:  # clients that can't measure another process
        return wandb.Settings(console="off")


def start(wandb, message):
    """What the environment says goes before what sgpt says."""
    run = wandb.init(
        name=None if "WANDB_NAME" in os.environ else message["name"],
        id=None if "WANDB_RUN_ID" in os.environ else message["id"],
        resume=None if "WANDB_RESUME" in os.environ else "allow",
        config=message["config"],
        settings=settings(wandb),
    )
    return run


def ready(run):
    # A disabled run is nothing that could be continued.
    disabled = getattr(run, "disabled", False) or os.environ.get("WANDB_MODE") == "disabled"
    return {"id": None if disabled else run.id, "url": getattr(run, "url", None)}


def number(value):
    return float("nan") if value is None else value  # JSON has no name for it


def log(wandb, run, message):
    if message["step"] < run.step:
        return  # the steps since the checkpoint that a run went on from: the client has them, with the same numbers
    values = {tag: number(value) for tag, value in message.get("values", {}).items()}
    for tag, histogram in message.get("histograms", {}).items():
        values[tag] = wandb.Histogram(np_histogram=(histogram["counts"], histogram["edges"]))
    run.log(values, step=message["step"])


def serve(lines, answer):
    wandb = import_client()
    answer(imported=getattr(wandb, "__version__", "of an unknown version"))
    run = None
    for line in lines:
        message = json.loads(line)
        if "init" in message:
            run = start(wandb, message["init"])
            answer(ready=ready(run))
        elif "finish" in message:
            run.finish(exit_code=message["finish"])
            answer(finished=True)
            return
        else:
            log(wandb, run, message)
    if run:
        run.finish(exit_code=1)  # sgpt was killed


def main():
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1"):
        signal.signal(getattr(signal, name), signal.SIG_IGN)
    lines, answers = take_stdin()

    def answer(**message):
        answers.write(json.dumps(message).encode() + b"\n")
        answers.flush()

    try:
        serve(lines, answer)
    except BaseException as error:
        try:
            answer(error=" ".join(f"{type(error).__name__}: {error}".split()))
        except OSError:
            pass  # nobody listens any more
        sys.exit(1)


main()
