"""What counts as texts: a string, or anything that gives strings one after the other."""

from typing import Any, Sequence, Tuple

from ._errors import UserError


def shown(value: Any, most: int = 60) -> str:
    """A value for a message."""
    text = repr(value)
    return text if len(text) <= most else text[:most] + "…"


def refuse_text(value: Any, what: str) -> None:
    """For the module, which found something that is no text."""
    if value is None:
        raise UserError(f"{what} is None; expected str")
    if isinstance(value, str):
        raise UserError(
            f"{what} has half of a surrogate pair alone ('\\ud800' to '\\udfff'), which is no character; expected str that "
            "UTF-8 can hold"
        )
    raise UserError(f"{what} is {shown(value)} ({type(value).__name__}); expected str")


def texts_of(given: Any, name: str = "inputs") -> Tuple[Sequence[str], bool]:
    """The texts as a list or tuple, and whether one string was given.

    Takes lists, tuples, arrays (of str or object), columns of pandas, polars, pyarrow and datasets, dict views, generators.
    That each text is a str is seen to by the module, which names the place of one that is not.
    """
    if isinstance(given, str):
        return [given], True
    if isinstance(given, (list, tuple)):
        return given, False
    if given is None or isinstance(given, (bytes, bytearray, memoryview, int, float, dict)):
        raise UserError(f"{name} is {shown(given)} ({type(given).__name__}); expected a str, or a list of them")
    shape = getattr(given, "shape", None)
    if isinstance(shape, tuple) and len(shape) != 1:
        if shape == () and isinstance(given.item(), str):
            return [given.item()], True
        raise UserError(f"{name} has the shape {shape}; expected one dimension, of str")
    for method in ("to_pylist", "tolist", "to_list"):  # pyarrow; NumPy and pandas; polars
        if callable(getattr(given, method, None)):
            return getattr(given, method)(), False
    try:
        return list(given), False
    except TypeError:
        raise UserError(f"{name} is of type {type(given).__name__}; expected a str, or a list of them") from None


def document_text(title: Any, text: Any, place: str) -> str:
    """As ``sgpt eval`` puts a document together."""
    for name, value in (("title", title), ("text", text)):
        if value is not None and not isinstance(value, str):
            raise UserError(f"{place}: {name} is {shown(value)} ({type(value).__name__}); expected str")
    return f"{title} {text or ''}" if title else (text or "")


def whole_number(value: Any, name: str, least: int = 1) -> int:
    """An int, also NumPy's; UserError below ``least`` and for anything else."""
    try:
        number = value.__index__()
    except AttributeError:
        number = None
    if number is None or isinstance(value, bool) or number < least:
        raise UserError(f"{name} is {shown(value)}; expected a whole number of {least} or more")
    return int(number)


def one_of(value: Any, names: Sequence[str], what: str) -> str:
    """``value`` where it is one of the names; else UserError, which lists them."""
    if isinstance(value, str) and value in names:
        return value
    listed = ", ".join(names[:-1]) + " and " + names[-1] if len(names) > 1 else "".join(names)
    raise UserError(f"{what} is {shown(value)}; there are {listed}")
