"""Approval in git: a plan as a file, compared with what is sent later."""
