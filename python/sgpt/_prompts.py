"""What stands before and around a text: which kind it is of, and its prompt."""

from typing import Any, Dict, Mapping, Optional, Tuple

from ._errors import UserError
from ._log import warn_once
from ._texts import shown

# Other programs' names for documents ("text" is LlamaIndex's).
DOCUMENTS = ("document", "passage", "corpus", "text")


def kind_of(name: Optional[str]) -> Optional[str]:
    """The kind of texts that a prompt's name speaks of."""
    if name == "query":
        return "query"
    return "document" if name in DOCUMENTS else None


def checked_prompts(prompts: Any) -> Dict[str, str]:
    """A dict of names and texts."""
    if prompts is None:
        return {}
    if not isinstance(prompts, Mapping):
        raise UserError(f"prompts is {shown(prompts)}; expected a dict of names and texts")
    for name, text in prompts.items():
        if not isinstance(name, str) or not isinstance(text, str):
            raise UserError(f"prompts has {shown(name)}: {shown(text)}; expected a name and a text")
    return dict(prompts)


def named(prompts: Mapping[str, str], name: str) -> str:
    """The prompt of that name; the kinds of texts have an empty one where there is none."""
    if name in prompts:
        return prompts[name]
    kind = kind_of(name)
    if kind is not None:
        return prompts.get(kind, "")
    listed = ", ".join(sorted(set(prompts) | {"query", "document"}))
    raise UserError(f"there is no prompt of the name {shown(name)}; there are {listed}")


def choose(
    prompts: Mapping[str, str],
    default_name: Optional[str],
    brackets: bool,
    prompt_name: Optional[str],
    prompt: Optional[str],
    task: Optional[str],
) -> Tuple[str, str]:
    """(kind, prompt) of a call. Brackets come with the kind and are no text."""
    if prompt is not None and not isinstance(prompt, str):
        raise UserError(f"prompt is {shown(prompt)} ({type(prompt).__name__}); expected str")
    if prompt_name is not None and not isinstance(prompt_name, str):
        raise UserError(f"prompt_name is {shown(prompt_name)} ({type(prompt_name).__name__}); expected str")
    name = prompt_name
    if name is None and prompt is None:
        name = task or default_name
    kind = task or kind_of(name)
    if kind is None:
        kind = "document" if brackets else "plain"
        if brackets:
            warn_once(
                "encode() does not say whether texts are queries or documents: this model puts brackets around them, and "
                'they get those of documents; encode_query, encode_document or prompt_name="query" say it'
            )
    if prompt is not None:
        return kind, prompt
    return kind, named(prompts, name) if name is not None else ""
