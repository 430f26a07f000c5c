"""Issue + templates -> Email: the whole chain, in order. Pure: no clock, no network, no files."""

import re
from difflib import get_close_matches

from newsletter.config.models import Config
from newsletter.errors import Location, TemplateError, display_path
from newsletter.posts.issue import Issue
from newsletter.posts.merge_tags.tags import PREFERENCES, UNSUBSCRIBE, MergeTable, Target
from newsletter.render.article.build import email_article
from newsletter.render.email import Address, Email
from newsletter.render.headers import common_headers
from newsletter.render.mjml.compile import splice
from newsletter.render.personalization import ARTICLE, in_use, one_token_a_link
from newsletter.render.template.compile import compiled, styled, words_of
from newsletter.render.template.context import template_context
from newsletter.render.template.jinja_env import Context
from newsletter.render.template.loader import Templates
from newsletter.render.text.article import article_text
from newsletter.render.text.layout import letter

# SendGrid's own tags for an unsubscribe group ("Unsubscribe Groups", Twilio SendGrid docs).
_ASM = {
    UNSUBSCRIBE: "<%asm_group_unsubscribe_raw_url%>",
    PREFERENCES: "<%asm_preferences_raw_url%>",
}
_TARGETS: tuple[Target, ...] = ("html", "text", "url")
_WAY_OUT = re.compile(r"""href=["']-nlunsubscribe[hu]-["']""")


def render_issue(issue: Issue, templates: Templates, config: Config) -> Email:
    """Turn an issue into the email that all its readers get, merge tokens still in it.

    The same arguments give the same bytes.

    Raises:
        TemplateError: a template is wrong; all that one pass finds, each with file and line.
        RenderError: the article can't become mail.
    """
    table = MergeTable(config.attributes, issue.merge_tags)
    name = _template(issue, templates, config)
    article = email_article(issue, config)
    context = template_context(issue, article, config, table)
    html = _html(article.html, name, templates, context)
    text = letter(
        article_text(article.html, links=config.text_links),
        context,
        words_of(templates, context),
    )
    if not _WAY_OUT.search(html):
        raise TemplateError(
            "the mail has no link to unsubscribe",
            where=templates.place(name),
            remedy='Put <a href="{{ unsubscribe_url }}">Unsubscribe</a> into its footer.',
        )
    if config.sendgrid.asm_group and not config.public_url:
        html, text = _vendors_links(html), _vendors_links(text)
    html, text = one_token_a_link(html), one_token_a_link(text)
    return Email(
        issue=issue.name,
        subject=issue.subject,
        preheader=issue.preheader,
        html=html,
        text=text,
        sender=Address(issue.sender_name or config.sender.name, config.sender.address),
        reply_to=_reply_to(issue, config),
        headers=common_headers(issue, config),
        merge_tags=in_use(
            (*table.tags, UNSUBSCRIBE, PREFERENCES), issue.subject, issue.preheader, html, text
        ),
        language=context["lang"],
        view_online_url=context["view_online_url"],
    )


def _html(article: str, name: str, templates: Templates, context: Context) -> str:
    document = splice(compiled(name, templates, context), ARTICLE, article)
    return styled(document, name, templates, context)


def _template(issue: Issue, templates: Templates, config: Config) -> str:
    name = f"{issue.template or config.theme.template}.mjml"
    if name in templates.files:
        return name
    near = get_close_matches(name, [file for file in templates.files if "/" not in file], n=1)
    hint = f". Did you mean '{near[0].removesuffix('.mjml')}'?" if near else ""
    line = issue.lines.get("template")
    raise TemplateError(
        f"there is no template {templates.place(name)}{hint}",
        where=Location(display_path(issue.source), line)
        if issue.template
        else Location("newsletter.yml"),
    )


def _vendors_links(part: str) -> str:
    """The vendor's own links in place of ours, now that nothing will escape them any more."""
    for tag, raw in _ASM.items():
        for target in _TARGETS:
            part = part.replace(tag.token(target), raw)
    return part


def _reply_to(issue: Issue, config: Config) -> Address | None:
    address = issue.reply_to or config.sender.reply_to
    return Address("", address) if address else None
