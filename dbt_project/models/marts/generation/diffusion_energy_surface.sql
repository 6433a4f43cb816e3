with points as (

    select * from {{ ref('int_generated_points') }}

),

models as (

    select * from {{ ref('int_models') }}

)

select
    points.point_id,
    points.family_id,
    points.data_source,
    coalesce(models.nickname, points.model_id) as nickname,
    {{ identity_columns('points') }},
    points.pixels,
    points.output_unit,
    points.gpu_uuids,
    points.energy_per_output_joules,
    points.energy_per_output_low_joules,
    points.energy_per_output_high_joules,
    points.interval_is_over,
    points.runs,
    points.run_ids,
    points.last_measured_at
from points
left join models on points.model_id = models.model_id and points.data_source = models.data_source
order by
    points.data_source, nickname, points.gpu_model, points.family_id, points.gpu_uuids, points.pixels,
    points.num_frames, points.inference_steps, points.point_id
