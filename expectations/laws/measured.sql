-- Measured energy of images and videos, a row per configuration.
select *
from marts.leaderboard
where
    data_source = 'jouleboard'
    and energy_per_output_joules is not null
    and inference_steps is not null
    and height is not null
    and width is not null
