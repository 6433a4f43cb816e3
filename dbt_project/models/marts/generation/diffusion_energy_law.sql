with laws as (

    -- A law that misses points which it was fitted without is no law.
    select * from {{ ref('int_diffusion_laws') }}
    where is_proven

),

terms as (

    select * from {{ ref('int_diffusion_law_terms') }}

),

families as (

    select distinct on (family_id, gpu_uuids) *
    from {{ ref('int_generated_points') }}

),

models as (

    select * from {{ ref('int_models') }}

)

select
    {{ hash_of(['laws.law_id', 'terms.term']) }} as term_id,
    laws.law_id,
    laws.family_id,
    families.data_source,
    coalesce(models.nickname, families.model_id) as nickname,
    {{ identity_columns('families') }},
    families.output_unit,
    laws.law,
    terms.term,
    terms.value as term_value,
    terms.value_low as term_low,
    terms.value_high as term_high,
    terms.unit as term_unit,
    laws.is_best,
    laws.held_out_largest_error,
    laws.held_out_median_error,
    laws.tested_points,
    laws.points,
    laws.largest_residual,
    laws.largest_mean_residual,
    laws.fewest_steps,
    laws.most_steps,
    laws.fewest_pixels,
    laws.most_pixels,
    laws.fewest_frames,
    laws.most_frames,
    'a model fitted to measurements' as basis,
    laws.gpu_uuids,
    laws.runs,
    laws.run_ids
from laws
inner join terms using (family_id, law)
inner join families
    on
        laws.family_id = families.family_id
        and laws.gpu_uuids is not distinct from families.gpu_uuids
left join models on families.model_id = models.model_id and families.data_source = models.data_source
order by
    families.data_source asc,
    nickname asc,
    families.gpu_model asc,
    laws.family_id asc,
    laws.is_best desc,
    laws.law asc,
    terms.term asc
