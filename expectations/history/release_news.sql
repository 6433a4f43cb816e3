-- Configurations under releases that this project measured: confirmed changes first, then the largest.
select *
from marts.release_history
where data_source = 'jouleboard' and {{ condition }}
order by
    runtime asc,
    runtime_version asc,
    confirmation <> 'confirmed' asc,
    abs(energy_change) desc nulls last,
    nickname asc,
    task asc,
    gpu_model asc,
    num_gpus asc,
    batch_size asc,
    leaderboard_id asc
