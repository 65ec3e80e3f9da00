"""What holds for every test."""

import os

# Before anything that reads it is imported. No test needs a hub, and its client tries for half a minute to reach one.
os.environ["HF_HUB_OFFLINE"] = "1"
