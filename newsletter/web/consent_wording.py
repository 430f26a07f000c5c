"""Word what forms ask: consent to emails, and to recorded opens and clicks.

For the latter, a form has one optional checkbox whose label names what is recorded. A hidden field
says what the label named when the form was made: an answer to another question, or to none, is not
recorded. The page that confirms the sign-up shows the question again if the form said yes.
"""

from collections.abc import Mapping
from typing import Any

from newsletter.subscribers.consent.signup import TrackingForm
from newsletter.web.site_context import Site

ASKED_FIELD, ANSWER_FIELD = "tracking_asked", "tracking"
_QUESTION_KEYS = {
    ("opens",): "tracking_opens",
    ("clicks",): "tracking_clicks",
    ("opens", "clicks"): "tracking_both",
}


def get_consent_wording(site: Site) -> str:
    """Return the consent wording that the form shows."""
    default_wording = site.pages.messages["join_wording"].replace("{name}", site.config.name)
    return site.config.signup.wording or default_wording


def get_tracking_question(site: Site) -> dict[str, str] | None:
    """Return the label of the checkbox and the value of the hidden field.

    ``None`` if readers are not asked.
    """
    asked = site.config.tracking.asked_actions
    if not asked:
        return None
    default_wording = site.pages.messages[_QUESTION_KEYS[asked]].replace("{name}", site.config.name)
    return {
        "wording": site.config.tracking.wording or default_wording,
        "asked": " ".join(asked),
    }


def get_signup_question(site: Site) -> dict[str, str] | None:
    """Return the question of the sign-up form.

    Without double opt-in nobody is asked there: anybody could answer for any address.
    """
    return get_tracking_question(site) if site.config.signup.double_opt_in else None


def read_tracking_answer(site: Site, fields: Mapping[str, str]) -> dict[str, Any]:
    """Return what a sign-up form answered, to keep with its confirmation; empty if nothing."""
    question = get_signup_question(site)
    if question is None or fields.get(ASKED_FIELD) != question["asked"]:
        return {}
    answer = fields.get(ANSWER_FIELD) == "yes"
    answers = dict.fromkeys(site.config.tracking.asked_actions, answer)
    return {"tracking": {"answers": answers, "wording": question["wording"]}}


def get_agreed_question(data: Mapping[str, Any]) -> dict[str, str] | None:
    """Return the question that a sign-up form answered with yes, for the page that confirms it.

    ``None`` if it was not answered, or with no. Anybody may have filled in the form, so the owner
    of the mailbox must see what they confirm.
    """
    kept = data.get("tracking")
    agreed = [action for action, answer in kept["answers"].items() if answer] if kept else []
    return {"wording": kept["wording"], "asked": " ".join(agreed)} if kept and agreed else None


def confirm_tracking_answer(
    data: Mapping[str, Any], fields: Mapping[str, str]
) -> TrackingForm | None:
    """Return the answer that is kept with a confirmation, as the mailbox's owner confirms it.

    ``None`` if it was not asked, or if the page, of a template of the project's own, didn't show
    that the form had agreed.
    """
    kept = data.get("tracking")
    question = get_agreed_question(data)
    if not kept or (question and fields.get(ASKED_FIELD) != question["asked"]):
        return None
    agrees = bool(question) and fields.get(ANSWER_FIELD) == "yes"
    return TrackingForm(dict.fromkeys(kept["answers"], agrees), kept["wording"])
