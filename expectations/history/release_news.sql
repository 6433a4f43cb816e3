-- The configurations that were measured under one release: confirmed changes first, then the largest.
select *
from marts.release_history
where data_source = 'jouleboard' and runtime = {{ runtime }} and runtime_version = {{ version }}
order by
    confirmation <> 'confirmed' asc,
    abs(energy_change) desc nulls last,
    nickname asc,
    task asc,
    gpu_model asc,
    num_gpus asc,
    batch_size asc,
    leaderboard_id asc
