{{ gpus_compared('int_runtime_versions_paired', 'old_leaderboard_id', 'is_later_version') }}
