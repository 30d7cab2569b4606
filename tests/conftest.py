"""Hypothesis tries new examples at every desk, and the same ones where CI is set: what lands is what passed."""

import os

from hypothesis import settings

settings.register_profile("ci", derandomize=True)
if os.environ.get("CI"):
    settings.load_profile("ci")
