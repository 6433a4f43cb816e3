with proofs as (

    select * from {{ ref('int_diffusion_law_proofs') }}

),

laws as (

    select * from {{ ref('int_diffusion_laws') }}

),

points as (

    select * from {{ ref('int_generated_points') }}

),

models as (

    select * from {{ ref('int_models') }}

)

select
    {{ hash_of(['laws.law_id', 'points.point_id']) }} as proof_id,
    laws.law_id,
    points.point_id,
    points.family_id,
    points.data_source,
    coalesce(models.nickname, points.model_id) as nickname,
    {{ identity_columns('points') }},
    points.pixels,
    laws.law,
    points.energy_per_output_joules as measured_joules,
    proofs.predicted_joules,
    proofs.predicted_joules / points.energy_per_output_joules - 1 as error,
    proofs.fitted_joules,
    proofs.is_within_others,
    laws.is_proven,
    laws.is_best,
    points.run_ids
from proofs
inner join laws using (family_id, law)
inner join points using (point_id)
left join models on points.model_id = models.model_id and points.data_source = models.data_source
order by
    points.data_source, nickname, points.gpu_model, points.family_id, laws.law, points.pixels,
    points.num_frames, points.inference_steps, points.point_id
