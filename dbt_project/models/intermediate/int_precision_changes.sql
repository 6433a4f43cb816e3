{{ changes_in_blocks('int_gpus_compared_by_precision', 'bf16_leaderboard_id', 'is_fp8') }}
