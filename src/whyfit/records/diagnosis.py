"""The result: what is said of each fit of a script."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from jaxtyping import Int

from whyfit.records.evidence import Evidence
from whyfit.records.finding import Finding
from whyfit.records.network import Array
from whyfit.records.study import Criterion, Fix, Replay, Samples, Study

Verdict = Literal[
    "sound",  # meets the criterion, and so do most starts
    "lucky",  # meets the criterion, most starts do not
    "unlucky",  # misses it, most starts do not
    "explained",  # misses it, and a cause is confirmed
    "mended",  # misses it, no cause is confirmed, but a set of changes works
    "undecided",  # misses it, and nothing could be shown
    "observed",  # nothing was retrained: evidence only
]


NOT_ASKED_FOR = "no retraining was asked for"
"""Why nothing was retrained, where a person wished that."""


@dataclass(frozen=True, eq=False)
class FitDiagnosis:
    """Everything said of one fit.

    `study` is None where nothing was retrained, and then `not_studied` gives the reason. `samples`
    are curves of the untouched script and of the fixes at the samples `rows`; `work` is as in
    `Diagnosis`; `study_seconds` are those of measuring, replaying and retraining, up to the verdicts.
    """

    evidence: Evidence
    findings: tuple[Finding, ...]
    criterion: Criterion
    replay: Replay
    study: Study | None
    not_studied: str | None
    fixes: tuple[Fix, ...]
    verdict: Verdict
    rows: Int[Array, points]
    samples: tuple[Samples, ...] = ()
    confirmation_seconds: float = 0.0
    work: Mapping[str, int] = field(default_factory=dict)
    study_seconds: float = 0.0


@dataclass(frozen=True, eq=False)
class Diagnosis:
    """Everything said of a script.

    `status` is the script's own exit status; `notes` what the person should know about the capture;
    `command` the command line that made the diagnosis, empty if there was none; `work` how many fits
    the engine `trained` and how many came `from_ledger`. Seconds and work tell how the rest was got,
    which depends on neither. `source_sha256` is that of the text in the script's file.
    """

    script: str
    status: int
    error: str | None
    fits: tuple[FitDiagnosis, ...]
    notes: tuple[str, ...] = ()
    figures: tuple[bytes, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)
    command: str = ""
    work: Mapping[str, int] = field(default_factory=dict)
    source_sha256: str = ""
