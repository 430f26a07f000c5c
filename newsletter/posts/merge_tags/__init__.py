"""Merge tags like ``{{ subscriber.name }}``, compiled to tokens."""
