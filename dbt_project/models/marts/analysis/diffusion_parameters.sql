with minima as (

    select *
    from {{ ref('int_minimum_energy') }}
    where scope = 'all-gpu-counts' and architecture = 'diffusion'

)

select
    leaderboard_id,
    data_source,
    nickname,
    total_params_billions,
    {{ identity_columns() }},
    output_unit,
    cast(frames_per_second as integer) as frames_per_second,
    cast(height as double) * width * coalesce(num_frames, 1) as pixels_per_output,
    energy_per_output_joules,
    batch_latency_seconds,
    energy_per_output_joules / nullif(inference_steps, 0) as energy_per_step_joules,
    energy_per_output_joules / nullif(num_frames, 0) as energy_per_frame_joules,
    energy_per_output_joules
    / nullif(cast(height as double) * width * coalesce(num_frames, 1) * inference_steps / 1e6, 0)
        as energy_per_megapixel_step_joules
from minima
order by data_source, task, gpu_model, energy_per_output_joules, leaderboard_id
