"""What SendGrid reports of mail: taken in, and made into a report of each send."""
