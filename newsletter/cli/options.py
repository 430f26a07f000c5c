"""Options that several commands have, in the same words."""

import click

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead.")
json_lines_option = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object per line, for scripts."
)
# Of commands that ask with newsletter.cli.output.confirm_count.
yes_option = click.option("--yes", is_flag=True, help="Don't ask for the count to be typed.")

segment_option = click.option(
    "--segment",
    metavar="NAME|QUERY",
    help="Only to the readers of a segment: its name in newsletter.yml, or a query.",
)
at_option = click.option(
    "--at",
    metavar="TIME",
    help="When: '2026-12-01 09:00' or 'Tue 09:00' in the newsletter's zone, or with an offset.",
)
hold_option = click.option(
    "--hold-at-sendgrid", is_flag=True, help="With --at: let SendGrid hold it, up to 72 hours."
)
local_option = click.option(
    "--local", is_flag=True, help="With --at: wait here, even if nothing that starts it was seen."
)
batch_size_option = click.option(
    "--batch-size",
    type=click.IntRange(1, 1000),
    metavar="N",
    help="Readers in one request; limits.batch_size of newsletter.yml if not given.",
)
repeat_article_option = click.option(
    "--repeat-article", is_flag=True, help="Send it to readers who got it as another issue, too."
)
concurrency_option = click.option(
    "--concurrency",
    type=click.IntRange(1, 256),
    default=16,
    show_default=True,
    metavar="N",
    help="Number of concurrent requests.",
)
# Of commands that hand a send over to the workers with newsletter.cli.worker.hand_over.
wait_option = click.option(
    "--wait", is_flag=True, help="If workers send it, show their progress until it is over."
)
strict_option = click.option(
    "--strict", is_flag=True, help="Exit with 1 if SendGrid refused any reader."
)
no_image_check_option = click.option(
    "--no-image-check",
    is_flag=True,
    help="Don't check that the issue's images can be seen on the web.",
)
