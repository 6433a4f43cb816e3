{{ changes_in_blocks(
    'int_gpus_compared_by_version', 'old_leaderboard_id', 'is_later_version', ['old_runtime_version', 'versions_back']
) }}
