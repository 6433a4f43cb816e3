{{ gpus_compared('int_precisions_paired', 'bf16_leaderboard_id', 'is_fp8') }}
