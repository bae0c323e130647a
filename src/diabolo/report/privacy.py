"""What synthetic rows reveal about the rows of the fit, in words."""

from __future__ import annotations

from dataclasses import dataclass

from diabolo.evaluation import PrivacyReport
from diabolo.report.formatting import percent
from diabolo.utils.text import shorten

# From where on a figure gives reason for concern: choices.
NEAR_CHANCE = 0.55  # an AUROC or share up to which hardly anything is revealed
MIN_EXCESS = 0.03  # of a share over that of unseen rows
MIN_COPIES_EXCESS = 0.01  # of the share of copies over that of unseen rows


@dataclass(frozen=True)
class PrivacyQuestion:
    """A question of privacy with its answers.

    Attributes:
        question: a sentence.
        synthetic: the answer for synthetic rows.
        unseen: the answer for unseen real rows, or what an answer of no concern is.
    """

    question: str
    synthetic: str
    unseen: str


def privacy(report: PrivacyReport) -> list[PrivacyQuestion]:
    """Return what the synthetic rows reveal about the rows of the fit, as questions with answers."""

    def share(value: float | None) -> str:
        return "–" if value is None else percent(value)

    def distance(value: float | None) -> str:
        return "–" if value is None else f"{value:.2f}"

    questions = [
        PrivacyQuestion(
            "Copies: how many rows are identical to a row of the fit?",
            share(report.copies),
            share(report.copies_real),
        ),
        PrivacyQuestion(
            "Distance: how far is the nearest row of the fit? (median; a column counts up to 1)",
            distance(report.distance_to_closest),
            distance(report.distance_to_closest_real),
        ),
        PrivacyQuestion(
            "Attribute inference: an attacker knows all columns of a row except "
            f"{shorten(report.target, 40)}, and copies it from the nearest synthetic row. How often is that "
            "correct for rows of the fit, and for unseen rows?",
            share(report.attribute_accuracy),
            share(report.attribute_accuracy_real),
        ),
    ]
    if report.closer_to_fit is not None and report.membership_auroc is not None:
        nothing = "50 % reveals nothing"
        questions += [
            PrivacyQuestion(
                "How many synthetic rows are nearer to a row of the fit than to any of as many unseen rows?",
                share(report.closer_to_fit),
                nothing,
            ),
            PrivacyQuestion(
                "Membership inference: an attacker has a row of the fit and an unseen row, and takes the one "
                "nearer to a synthetic row for that of the fit. How often is that correct?",
                share(report.membership_auroc),
                nothing,
            ),
        ]
    return questions


def concerns(report: PrivacyReport) -> list[str]:
    """Return the privacy figures that give reason for concern, as sentences; none if there are none."""
    sentences = []
    if report.copies > (report.copies_real or 0) + MIN_COPIES_EXCESS:
        sentences.append(
            f"{percent(report.copies)} of the synthetic rows are copies of rows of the fit; "
            f"{_copies_of_unseen(report.copies_real)}."
        )
    if report.closer_to_fit is not None and report.closer_to_fit > NEAR_CHANCE:
        sentences.append(
            "Synthetic rows are nearer to rows of the fit than expected by chance: they follow them closely."
        )
    if report.membership_auroc is not None and report.membership_auroc > NEAR_CHANCE:
        sentences.append("Whether a row was in the data can be inferred better than by chance.")
    if (
        report.attribute_accuracy_real is not None
        and report.attribute_accuracy > report.attribute_accuracy_real + MIN_EXCESS
    ):
        sentences.append(
            f"{report.target} is inferred correctly more often for rows of the fit than for unseen rows: "
            "the synthetic rows reveal something about single rows."
        )
    return sentences


def _copies_of_unseen(share: float | None) -> str:
    """How many unseen rows are copies, as the end of a sentence."""
    return "what is usual is not known" if share is None else f"of unseen real rows {percent(share)} are"
