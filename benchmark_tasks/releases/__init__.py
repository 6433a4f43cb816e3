"""What exists upstream: releases on the package index, models and revisions on the hub."""
