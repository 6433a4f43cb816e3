"""What is to be measured: sweeps, what is missing, and in which order."""
