"""What a program finds out about a library."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Answer", "Verdict", "no", "not_applicable", "partly", "yes"]


class Answer(StrEnum):
    """Whether a guarantee holds."""

    YES = "yes"
    PARTLY = "partly"
    NO = "no"
    NOT_APPLICABLE = "n/a"


@dataclass(frozen=True, slots=True)
class Verdict:
    """An answer, and the fact that was observed."""

    answer: Answer
    fact: str

    def __str__(self) -> str:
        return f"{self.answer}: {self.fact}"


def yes(fact: str) -> Verdict:
    return Verdict(Answer.YES, fact)


def partly(fact: str) -> Verdict:
    return Verdict(Answer.PARTLY, fact)


def no(fact: str) -> Verdict:
    return Verdict(Answer.NO, fact)


def not_applicable(fact: str) -> Verdict:
    return Verdict(Answer.NOT_APPLICABLE, fact)
