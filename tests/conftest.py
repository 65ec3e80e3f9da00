"""What holds for every test."""

import os

# Before anything is imported that reads it. No test has a hub, and its client asks one for half a minute before it gives
# up.
os.environ["HF_HUB_OFFLINE"] = "1"
