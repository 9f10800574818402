"""The library's log lines go to ``logging``, its progress bars to tqdm where it is installed."""

import atexit
import logging
from typing import Any, Dict, Optional

from . import _sgpt

logger = logging.getLogger("sgpt")

_warned = set()


def warn_once(line: str) -> None:
    """Says a line once a process."""
    if line not in _warned:
        _warned.add(line)
        logger.warning(line)


def wants_bar(show: Optional[bool]) -> bool:
    """The rule of ``show_progress_bar``: None is a bar where the logger is at INFO or below."""
    return logger.getEffectiveLevel() <= logging.INFO if show is None else bool(show)


def bar(title: str, unit: str, total: Optional[int]) -> Any:
    """A tqdm bar, or None where tqdm is not installed. In a notebook it is the notebook's."""
    try:
        from tqdm.auto import tqdm
    except ImportError:
        return None
    return tqdm(desc=title, unit=" " + unit, total=total)


def _tell(is_warning: bool, line: str) -> None:
    logger.log(logging.WARNING if is_warning else logging.INFO, "%s", line)


_bars: Dict[str, Any] = {}


def _show(title: str, unit: str, done: int, total: int, note: str, last: bool) -> None:
    if not wants_bar(None):
        return
    shown = _bars.get(title)
    if shown is None:
        shown = _bars[title] = bar(title, unit, total or None)
    if shown is not None:
        shown.update(done - shown.n)
        if note:
            shown.set_postfix_str(note, refresh=False)
    if last:
        if shown is not None:
            shown.close()
        _bars.pop(title, None)


def _stop() -> None:
    _sgpt.send_messages_to(None)
    _sgpt.send_progress_to(None)


_sgpt.send_messages_to(_tell)
_sgpt.send_progress_to(_show)
atexit.register(_stop)
