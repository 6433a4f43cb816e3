-- Every measured point whose steps, resolution or frames were varied, and what the best law of its family
-- said of it when it was fitted without it.
select
    surface.*,
    proofs.law,
    proofs.fitted_joules,
    proofs.predicted_joules,
    proofs.error,
    proofs.is_within_others
from marts.diffusion_energy_surface as surface
left join marts.diffusion_law_proof as proofs
    on surface.point_id = proofs.point_id and proofs.is_best
where surface.data_source = 'jouleboard'
order by
    surface.nickname asc,
    surface.task asc,
    surface.gpu_model asc,
    surface.num_gpus asc,
    surface.batch_size asc,
    max(surface.last_measured_at) over (partition by surface.family_id) desc,
    surface.family_id asc,
    surface.pixels asc,
    surface.height asc,
    surface.num_frames asc,
    surface.inference_steps asc,
    surface.point_id asc
