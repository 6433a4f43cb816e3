"""What DAG files are made of: forms, lanes, schedules, deadlines, wiring."""
