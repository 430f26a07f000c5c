"""Name our expression for a merge tag of another service.

Mailchimp writes ``*|FNAME|*``, Mailjet ``[[name]]``, ActiveCampaign ``%FIRSTNAME%``, Handlebars
``{{{name}}}``. Pure.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

_FOREIGN_TAG = re.compile(
    r"\*\|(?P<mailchimp>[\w:.]{2,40})\|\*"
    r"|\[\[(?:\s|data:|var:)*(?P<mailjet>[A-Za-z][\w.:]{1,40})(?:[:|][^\[\]\n]*)?\s*\]\]"
    r"|%%(?P<salesforce>[A-Za-z][\w.]{1,40})%%"
    r"|(?<![\w%])%(?P<percent>[A-Z][A-Z_]{2,30})%"
    r"|\{\{\{\s*(?P<handlebars>[^{}\n]{1,60}?)\s*\}\}\}"
    r"|\{\{(?P<block>[#/^>&][^{}\n]{0,60})\}\}"
    r"|\{\{\s*\.(?P<go>[A-Za-z][\w.]{1,40})\s*\}\}"
    r"|\{\$(?P<mailerlite>[a-z][\w.]{2,40})\}"
)
_OWN_NAMES = {
    "{{ subscriber.name }}": (
        "name firstname fname fullname forename givenname lastname lname surname username "
        "nickname displayname"
    ),
    "{{ subscriber.email }}": "email emailaddress mail useremail",
    "{{ unsubscribe_url }}": (
        "unsub unsubscribe unsubscribeurl unsubscribelink unsubscribeme unsublink unsublinken "
        "unsuburl optout optoutlink unsubscriptionlink oneclickunsubscribe"
    ),
    "{{ preferences_url }}": (
        "preferences preferencesurl preferenceslink preferencecenter managepreferences "
        "managesubscriptions updateprofile profile profilecenterurl subscriptioncenterurl"
    ),
    "{{ view_online_url }}": (
        "archive viewonline viewinbrowser webversion webview browserview onlineversion permalink "
        "shortpermalink permalinklabel mirror viewemailurl url weblink weburl"
    ),
    "{{ article }}": "content body article post postcontent html message",
    "{{ issue.title }}": "headline title posttitle",
    "{{ issue.subject }}": "subject mcsubject subjectline emailsubject",
    "{{ issue.preheader }}": (
        "preheader mcpreviewtext previewtext preview excerpt teaser emailpreviewtext"
    ),
    "{{ issue.author_name }}": "author authorname",
    "{{ format_date(issue.date) }}": "date issuedate publishdate currentdate",
    "{{ newsletter.name }}": (
        "company companyname listname sendername fromname brand brandname organization newsletter "
        "publicationname accountname sitename"
    ),
    "{{ newsletter.postal_address }}": (
        "address postaladdress listaddress physicaladdress htmllistaddresshtml companyaddress "
        "senderaddress sendingaddress senderinfo senderinfoline"
    ),
    "{{ newsletter.site_url }}": "site siteurl website homepage baseurl companyurl companywebsite",
    "{{ theme.logo }}": "logo logourl",
}
_EXPRESSIONS = {name: own for own, names in _OWN_NAMES.items() for name in names.split()}
_OWNERS = re.compile(
    r"^(?:contact|subscriber|user|recipient|customer|member|person|profile|list|mc|data|var|"
    r"merge|account|attributes?|params?)(?=[._: ])[._: ]*",
    re.IGNORECASE,
)
_AMBIGUOUS_SYNTAXES = frozenset({"percent", "mailerlite"})
_BLOCK_REMEDY = "Write {% if … %} … {% endif %}, {% for … in … %} … {% endfor %}, {% include … %}."


class ForeignTag(NamedTuple):
    """A merge tag of another service in a template or in an email.

    Attributes:
        text: the tag as it is written.
        start: index of its first character.
        expression: what means the same here; empty if nothing is known to.
    """

    text: str
    start: int
    expression: str

    @property
    def remedy(self) -> str:
        """The question with which an error about it ends, or what to write instead."""
        if self.expression:
            return f"Did you mean {self.expression}?"
        is_block = re.match(r"\{\{[#/^>&]", self.text)
        return _BLOCK_REMEDY if is_block else "Remove it, or write {{ … }} with a name of ours."


def suggest_expression(name: str) -> str:
    """Return the expression that means what ``name`` means elsewhere; empty if none is known."""
    for candidate in (name, _OWNERS.sub("", name), name.rpartition(".")[2]):
        letters = re.sub(r"[\W_]", "", candidate).lower()
        if letters in _EXPRESSIONS:
            return _EXPRESSIONS[letters]
    return ""


def find_foreign_tags(text: str) -> Iterator[ForeignTag]:
    """Yield the merge tags of other services in ``text``, in order.

    Signs that also mean something else, such as ``%``, count only around a name that is known.
    """
    for found in _FOREIGN_TAG.finditer(text):
        syntax = found.lastgroup or ""
        expression = suggest_expression(found[syntax].lstrip("&"))
        if expression or syntax not in _AMBIGUOUS_SYNTAXES:
            yield ForeignTag(found[0], found.start(), expression)
