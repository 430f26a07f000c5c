"""Checks of an email before it is sent: one small function per rule."""
