"""What earlier runs say: rechecks and cost estimates."""
