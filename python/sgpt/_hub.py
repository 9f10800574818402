"""Models by their names: folders, and the cache that is shared with huggingface_hub."""

import os
from typing import Any, Optional, Union

from . import _sgpt
from ._errors import UserError
from ._texts import shown

PathLike = Union[str, "os.PathLike[str]"]


def _is_hub_name(name: str) -> bool:
    # ORG/NAME, and not a path whose last part was mistyped: then the folder before the slash is here.
    parts = name.split("/")
    return len(parts) == 2 and all(parts) and name[0] not in ".~" and not os.path.exists(parts[0])


def _hub_options(cache_folder: Optional[PathLike], local_files_only: bool, token: Union[bool, str, None]) -> dict:
    options: dict = {}
    if cache_folder is not None:
        options["cache"] = os.fspath(cache_folder)
    if local_files_only:
        options["offline"] = True
    if token is False:
        options["token"] = ""
    elif token is not None and token is not True:
        if not isinstance(token, str):
            raise UserError(f"token is of type {type(token).__name__}; expected a str, True or False")
        options["token"] = token
    return options


def model_folder(
    model: Any,
    *,
    revision: Optional[str] = None,
    cache_folder: Optional[PathLike] = None,
    local_files_only: bool = False,
    token: Union[bool, str, None] = None,
) -> str:
    """The folder of a model: itself, or the hub's out of the cache, downloaded where it is not there."""
    if not isinstance(model, (str, os.PathLike)):
        raise UserError(f"the model is {shown(model)} ({type(model).__name__}); expected a folder, or a name on a hub")
    name = os.fspath(model)
    if os.path.exists(name) or not _is_hub_name(name):
        if revision is not None and os.path.isdir(name):
            raise UserError(f"revision is {shown(revision)}, but {name} is a folder, which has none")
        return name
    if revision is not None:
        if "@" in name:
            raise UserError(f"{name}: the name already says which revision, and revision says {shown(revision)}")
        name += "@" + revision
    return _sgpt.resolve_model(name, **_hub_options(cache_folder, local_files_only, token))


def pull(
    name: str,
    revision: Optional[str] = None,
    *,
    cache_folder: Optional[PathLike] = None,
    token: Union[bool, str, None] = None,
) -> str:
    """Fetches a model from a hub into the cache that is shared with huggingface_hub, as ``sgpt pull`` does.

    ``name`` is ORG/NAME or ORG/NAME@REVISION. Files that are there are compared with the hub's. HF_HUB_CACHE, HF_ENDPOINT,
    HF_TOKEN and HF_HUB_OFFLINE are as for huggingface_hub. Returns the model's folder. Raises UserError when there is no
    such model or it needs a token, MachineError when network or disk fail. Thread-safe.
    """
    if not isinstance(name, str):
        raise UserError(f"name is {shown(name)} ({type(name).__name__}); expected ORG/NAME")
    if revision is not None:
        if "@" in name:
            raise UserError(f"{name}: the name already says which revision, and revision says {shown(revision)}")
        name += "@" + revision
    return _sgpt.resolve_model(name, update=True, **_hub_options(cache_folder, False, token))
