{{ gpus_compared('int_speculation_paired', 'plain_leaderboard_id', 'is_drafted') }}
