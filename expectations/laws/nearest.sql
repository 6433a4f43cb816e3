-- Every family whose steps, resolution or frames were varied, with the law that came nearest: how many points
-- it was tried on, how far it missed. No law where none could be tried.
with tried as (
    select
        family_id,
        law,
        count(*) filter (where is_within_others) as tested_points,
        max(abs(error)) filter (where is_within_others) as largest_error
    from marts.diffusion_law_proof
    group by family_id, law
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
    nearest.tested_points,
    nearest.largest_error
from marts.diffusion_energy_surface as surface
left join nearest on surface.family_id = nearest.family_id
where surface.data_source = 'jouleboard'
order by surface.family_id asc
