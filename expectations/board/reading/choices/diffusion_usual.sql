-- The image and video configurations at their model's usual steps, size and frames.
select *
from marts.diffusion_parameters
where
    data_source = {{ data_source }}
    and leaderboard_id in (
        select leaderboard.leaderboard_id from marts.leaderboard
        where leaderboard.generation_order = 0
    )
