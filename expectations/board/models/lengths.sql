-- Lengths of the answers behind each row.
select
    leaderboard_id,
    list(bin_start_tokens order by bin_start_tokens) as bin_starts,
    list(bin_end_tokens order by bin_start_tokens) as bin_ends,
    list(responses order by bin_start_tokens) as responses
from marts.output_length_distribution
group by leaderboard_id
