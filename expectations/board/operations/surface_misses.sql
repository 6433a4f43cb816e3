-- Of each family the law that came nearest: how many points it was tried on, how far it missed.
select
    family_id,
    law,
    count(*) filter (where is_within_others) as tested_points,
    max(abs(error)) filter (where is_within_others) as largest_error
from marts.diffusion_law_proof
where data_source = 'jouleboard'
group by family_id, law
qualify
    row_number() over (
        partition by family_id
        order by largest_error asc nulls last, tested_points desc, law asc
    ) = 1
