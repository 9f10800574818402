"""A model's folder, copied with the settings that were changed."""

import json
import os
import shutil
from typing import Any, Dict

from ._errors import MachineError, UserError
from ._hub import PathLike


def _update(path: str, changes: Dict[str, Any]) -> None:
    settings: Dict[str, Any] = {}
    if os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            settings = json.load(file)
    settings.update(changes)
    with open(path, "w", encoding="utf-8") as file:
        json.dump(settings, file, indent=2, ensure_ascii=False)
        file.write("\n")


def save(model: Any, path: PathLike) -> None:
    """Writes model.encoder's folder and the model's settings to a new or empty folder."""
    target, options = os.fspath(path), model.encoder.options
    if not options["has_modules"]:
        raise UserError(f"{model.encoder.folder} is a plain checkpoint, which has no place for a model's settings")
    if model.encoder._arguments["options"].get("trained"):
        raise UserError(
            "the model's weights are those of a checkpoint (trained=); sgpt eval --save_best writes such a model"
        )
    if os.path.exists(target) and (not os.path.isdir(target) or os.listdir(target)):
        raise UserError(f"{target} is there already; expected a new folder, or an empty one")
    partial = f"{target.rstrip('/')}.partial-{os.getpid()}"
    try:
        shutil.copytree(model.encoder.folder, partial)  # links of the hub's cache become files
        prompts = {
            "prompts": model.prompts,
            "default_prompt_name": model.default_prompt_name,
            "similarity_fn_name": model.similarity_fn_name,
        }
        _update(os.path.join(partial, "config_sentence_transformers.json"), prompts)
        with open(os.path.join(partial, "modules.json"), encoding="utf-8") as file:
            transformer = next(m["path"] for m in json.load(file) if m["type"].endswith("Transformer"))
        _update(
            os.path.join(partial, transformer, "sentence_bert_config.json"), {"max_seq_length": model.max_seq_length}
        )
        if options["brackets"]:
            _update(os.path.join(partial, "sgpt_config.json"), {"brackets": True, "version": 1})
        if os.path.isdir(target):
            os.rmdir(target)
        os.rename(partial, target)
    except OSError as error:
        raise MachineError(f"{target}: cannot be written: {error}") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
