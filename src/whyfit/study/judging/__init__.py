"""Judging candidates on fresh seeds: which sets are sufficient, and what each change does.

Everything here runs on the confirmation seeds, which no choice has seen (but for replacements, see
`additions`). Replicates are added in rounds until the intervals decide or the most allowed is reached.
"""

from whyfit.study.judging.judge import go_on, judge
from whyfit.study.judging.judged import Judged

__all__ = ["Judged", "go_on", "judge"]
