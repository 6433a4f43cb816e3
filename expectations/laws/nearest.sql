-- Every family whose steps, resolution or frames were varied, with the law that came nearest: of which GPUs
-- it is, how many points it was tried on, how far it missed. No law where none could be tried.
with tried as (
    select
        proofs.family_id,
        proofs.law,
        any_value(points.gpu_uuids) as fitted_gpu_uuids,
        count(*) filter (where proofs.is_within_others) as tested_points,
        max(abs(proofs.error)) filter (where proofs.is_within_others) as largest_error
    from marts.diffusion_law_proof as proofs
    inner join marts.diffusion_energy_surface as points on proofs.point_id = points.point_id
    group by proofs.family_id, proofs.law
),

nearest as (
    select *
    from tried
    qualify
        row_number() over (
            partition by family_id
            order by largest_error asc nulls last, tested_points desc, law asc
        ) = 1
)

select distinct on (surface.family_id)
    surface.*,
    nearest.law,
    nearest.fitted_gpu_uuids,
    nearest.tested_points,
    nearest.largest_error
from marts.diffusion_energy_surface as surface
left join nearest on surface.family_id = nearest.family_id
where surface.data_source = 'jouleboard'
order by surface.family_id asc
