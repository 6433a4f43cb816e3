-- The law to use of each family, a row per term, with the points that it was fitted to.
with fitted as (
    select
        family_id,
        gpu_uuids,
        list(
            struct_pack(steps := inference_steps, pixels := pixels, frames := coalesce(num_frames, 1))
            order by pixels, num_frames, inference_steps
        ) as fitted_points
    from marts.diffusion_energy_surface
    group by family_id, gpu_uuids
)

select
    laws.*,
    fitted.fitted_points
from marts.diffusion_energy_law as laws
inner join fitted
    on laws.family_id = fitted.family_id and laws.gpu_uuids is not distinct from fitted.gpu_uuids
where laws.is_best and laws.data_source = 'jouleboard'
