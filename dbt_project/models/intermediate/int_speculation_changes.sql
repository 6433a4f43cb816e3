{{ changes_in_blocks('int_gpus_compared_by_speculation', 'plain_leaderboard_id', 'is_drafted') }}
