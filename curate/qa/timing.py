"""How long people took: lead times without idle hours, and without counting anything twice.

What Label Studio 1.23.2 keeps as `lead_time` (read in the source of its page, and measured in a browser):
the page sends, at every save, the seconds since the task was opened, plus the `lead_time` that the draft had
when the task was opened, plus the `lead_time` that the submitted answer had then. So:

- A submitted answer's lead time is the sum over all times that its task was open, drafts included. Its drafts
  have lead times of their own, which are parts of that sum: whoever adds them counts them twice. Rows of
  outcome "draft" are therefore never counted here; their time comes with the answer, once it is submitted.
- An answer that is opened again and updated has the later time added to its own. It stays one answer.
- Whoever answers a task anew, instead of updating, has two answers with a time each; nothing is carried over.
  The last one is measured, because it is the one that is used; the seconds of those before are stated.
- The clock is the wall's: a page left open over lunch counts as lunch.

The last is what the limit is for: an answer that took longer is idle. It keeps its objects, and its time is
left out: cut to the limit it would still add several times what labelling takes, and more in the arm whose
times spread more, so that the two arms would be bent differently. Images that take long are no accident; the
limit is so far out that hardly one of a thousand of them is beyond it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
_SPREADS = 3.5  # modified z-score beyond which a time is idle
_MAD_TO_SD = 1.4826  # of a normal distribution
_MIN_ANSWERS = 10  # a spread of fewer says nothing


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds of answers, as far as they count.

    Attributes:
        seconds: (N,) NaN where the server has no time, and where the page was left open.
        idle: (N,) whether it was.
        limits: Seconds of an image with one object from which on an answer is idle, by arm (suggested,
            control); None = no limit.
    """

    seconds: Floats
    idle: Flags
    limits: tuple[float | None, float | None]


def without_idle(
    seconds: Floats, objects: NDArray[np.int64], control: Flags, *, idle_cap_s: float | None = None
) -> Times:
    """Leave out what nobody can have spent labelling.

    Args:
        seconds: (N,) lead times of submitted answers, NaN where unknown. Zero and below are unknown, too.
        objects: (N,) objects drawn.
        control: (N,) whether the answer is of the control arm.
        idle_cap_s: The same limit for every answer. None: for each arm by itself (else the limit would cut
            the slower arm more, and make it look faster than it is) the time for each of objects + 1 is
            compared on a logarithmic scale with the median plus 3.5 times 1.4826 times the median absolute
            deviation. No limit for an arm of fewer than 10 answers, or without any spread.

    Source:
        Iglewicz and Hoaglin, How to Detect and Handle Outliers (1993), section 3.3: the modified z-score and
        its limit of 3.5.
    """
    known = np.where(seconds > 0, seconds, np.nan)
    if idle_cap_s is not None:
        idle = known > idle_cap_s
        return Times(np.where(idle, np.nan, known), idle, (idle_cap_s, idle_cap_s))
    parts = objects + 1.0
    limit = np.full(len(known), np.inf)
    limits = []
    for arm in (False, True):
        rows = (control == arm) & ~np.isnan(known)
        each = _limit(known[rows] / parts[rows])
        limits.append(None if each is None else 2 * each)
        if each is not None:
            limit[control == arm] = each * parts[control == arm]
    idle = known > limit
    return Times(np.where(idle, np.nan, known), idle, (limits[0], limits[1]))


def _limit(seconds: Floats) -> float | None:
    if len(seconds) < _MIN_ANSWERS:
        return None
    logs = np.log(seconds)
    middle = float(np.median(logs))
    spread = _MAD_TO_SD * float(np.median(np.abs(logs - middle)))
    return float(np.exp(middle + _SPREADS * spread)) if spread > 0 else None
